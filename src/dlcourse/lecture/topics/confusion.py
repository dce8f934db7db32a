"""Confusion matrix, precision, recall, F1 and average precision, by hand and on digits."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dlcourse.introspect.classification import class_rates
from dlcourse.lecture.bench import Bench
from dlcourse.metric.average_precision import precision_recall

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCORES = (0.95, 0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1, 0.05)
EIGHTS = (1, 1, 0, 1, 0, 1, 0, 0, 0, 0)
"""Ten images by descending score for "this is an 8", and whether each one is an 8."""
RARE = 8  # the class that is searched for
LOW, MIDDLE, HIGH = THRESHOLDS_SHOWN = (0.1, 0.5, 0.9)
SMOKE = ("data.examples=60", "max_epochs=1")
FULL = ()


def measure(bench: Bench) -> None:
    """Count ten images by hand; then train a network and search for one digit in ten."""
    bench.number("hand", _by_hand())
    run = bench.train("experiment=lecture/confusion")
    test = run.dataset.test
    probabilities = run.predict(test.inputs).double()
    targets, predicted = test.targets.numpy(), probabilities.argmax(1).numpy()
    own, score = targets == RARE, probabilities[:, RARE]
    recall, precision = (v.numpy() for v in precision_recall(score, torch.from_numpy(own)))
    points = {t: _rates(own, score.numpy() >= t) for t in THRESHOLDS_SHOWN}
    never = _rates(own, np.zeros_like(own))
    bench.number("points", [[t, *rates] for t, rates in points.items()])
    bench.number("never", never)
    bench.number("eights", [int(own.sum()), len(own)])
    bench.number("result", {key: run.result["test"][key] for key in ("accuracy", "f1")})
    area = float(np.sum(np.diff(recall, prepend=0) * precision))
    bench.number("area", area)
    bench.number("map", run.result["average_precision"]["macro"])

    from dlcourse.drawing.confusion import draw_confusion

    counts = np.zeros((10, 10), int)
    np.add.at(counts, (targets, predicted), 1)
    bench.figure("matrix", draw_confusion(counts, run.classes))
    bench.figure("threshold", _draw_thresholds(score.numpy(), own, recall, precision, points))
    _claim(bench, run.result, targets, predicted, score.numpy(), own, area)
    bench.claim("Never saying 8 has an accuracy of", never[3], at_least=0.85)
    bench.claim("Never saying 8 has a recall of", never[1], at_most=0)
    bench.claim(
        "From threshold 0.1 to 0.9 the recall falls by", points[LOW][1] - points[HIGH][1],
        at_least=0.15,
    )  # fmt: skip
    bench.claim(
        "From threshold 0.1 to 0.9 the precision rises by",
        points[HIGH][0] - points[LOW][0],
        at_least=0.1,
    )


def _claim(bench: Bench, result: dict, targets, predicted, score, own, area: float) -> None:
    """Claim that scikit-learn counts the same."""
    from sklearn.metrics import average_precision_score, precision_recall_fscore_support

    options: dict[str, Any] = {"average": "macro", "zero_division": 0}
    theirs = precision_recall_fscore_support(targets, predicted, **options)
    ours = [result["test"][name] for name in ("precision", "recall", "f1")]
    areas = [bench.numbers["hand"]["area"] - average_precision_score(EIGHTS, SCORES)]
    areas.append(area - average_precision_score(own, score))
    bench.claim(
        "Precision, recall and F1 are scikit-learn's: largest difference",
        np.abs(np.subtract(ours, theirs[:3])).max(),
        at_most=1e-6,
    )
    bench.claim(
        "Both average precisions are scikit-learn's: largest difference",
        np.abs(areas).max(),
        at_most=1e-9,
    )


def _by_hand() -> dict[str, Any]:
    """Return the counts and rates of the ten images at the threshold 0.5."""
    own = np.array(EIGHTS, bool)
    said = np.array(SCORES) >= MIDDLE
    table = torch.tensor([[int((a & b).sum()) for b in (~said, said)] for a in (~own, own)])
    rates = {name: float(values[1]) for name, values in class_rates(table.double()).items()}
    steps = [(place, int(own[:place].sum())) for place in np.flatnonzero(own) + 1]
    return {
        "counts": table.tolist(),
        **rates,
        "accuracy": float(np.mean(own == said)),
        "steps": [[int(found), int(place)] for place, found in steps],
        "area": float(np.mean([found / place for place, found in steps])),
    }


def _rates(own: np.ndarray, said: np.ndarray) -> list[float]:
    """Return precision, recall, F1 and accuracy of a yes-or-no answer."""
    hits = float((own & said).sum())
    precision, recall = hits / max(said.sum(), 1), hits / max(own.sum(), 1)
    f1 = 2 * hits / (own.sum() + said.sum())
    return [float(one) for one in (precision, recall, f1, np.mean(own == said))]


def _draw_thresholds(score, own, recall, precision, points: dict) -> "Figure":
    """Draw precision and recall over the threshold, and one over the other with points."""
    from dlcourse.drawing.precision_recall import draw_equal_f1
    from dlcourse.drawing.style import COLOURS, VAL, empty_figure, style_axes

    figure = empty_figure(9, 4.2)
    left, right = figure.subplots(1, 2)
    thresholds = np.linspace(0.01, 0.99, 99)
    rates = np.array([_rates(own, score >= t) for t in thresholds])
    for column, name, colour in ((0, "precision", COLOURS[0]), (1, "recall", VAL)):
        left.plot(thresholds, rates[:, column], color=colour, linewidth=2)
        at = 72 if name == "precision" else 40
        below = 0.03 if name == "precision" else -0.11
        left.annotate(name, (thresholds[at], rates[at, column] + below), color=colour, size=11)
    left.set(xlabel="threshold of the probability", ylabel="rate", xlim=(0, 1), ylim=(0, 1.08))
    left.set_title(f"Is it an {RARE}? A high threshold finds few", loc="left", size=11)
    draw_equal_f1(right)
    right.step([0, *recall], [precision[0], *precision], where="pre", color=COLOURS[0], linewidth=2)
    for threshold, (p, r, *_) in points.items():
        right.plot(r, p, "o", color=COLOURS[2], markersize=8)
        label = f"threshold {threshold:g}  "
        right.annotate(label, (r, p - 0.02), size=10, ha="right", va="top")
    area = np.sum(np.diff(recall, prepend=0) * precision)
    right.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.08))
    right.set_title(f"Average precision {area:.3f}: the area below", loc="left", size=11)
    style_axes(left, right)
    return figure
