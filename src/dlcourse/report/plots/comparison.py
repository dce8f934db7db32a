"""The plots of a comparison of two runs."""

import math
from typing import TYPE_CHECKING

import numpy as np

from dlcourse.drawing.text import class_labels, shortened, value_label
from dlcourse.engine.same_examples import SameExamples
from dlcourse.report.comparison.paired_tests import McNemar, PairedErrors
from dlcourse.report.comparison.sides import Side
from dlcourse.report.comparison.text import described, p_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.drawing.two_runs import RunCurves

MOST_DISAGREEMENTS = 25
LONGEST_SIDE_LABEL = 44


def curves_figure(first: Side, second: Side) -> "Figure | None":
    """Draw the loss and the monitored metric of both runs; None without a history."""
    from dlcourse.drawing.two_runs import draw_two_curves

    monitored = first.result["monitor"].partition("/")[2]
    metrics = {}
    for name in dict.fromkeys(("loss", monitored)):
        both = run_curves(first, name), run_curves(second, name)
        if any(curves.val or curves.train for curves in both):
            metrics[name] = both
    if not metrics:
        return None
    best = (f"{side.letter} {side.result['best']:.4f}" for side in (first, second))
    return draw_two_curves(metrics, f"Best {first.result['monitor']}: {', '.join(best)}")


def run_curves(side: Side, name: str) -> "RunCurves":
    """Return the curves of a metric; folds without a finite value are left out."""
    from dlcourse.drawing.two_runs import RunCurves

    train, val = (
        [points for rows in side.histories if (points := finite_points(rows, f"{split}/{name}"))]
        for split in ("train", "val")
    )
    best = [one["best_epoch"] for one in side.folds or [side.result]]
    label = value_label(f"{side.letter}: {described(side)}", LONGEST_SIDE_LABEL)
    return RunCurves(label, train, val, best)


def finite_points(rows: list[dict], key: str) -> list[tuple[float, float]]:
    """Return (epoch, value) of a metric for each epoch in which it is finite."""
    pairs = ((row["epoch"], row.get(key)) for row in rows)
    return [(epoch, value) for epoch, value in pairs if value is not None and math.isfinite(value)]


def agreement_figure(same: SameExamples, test: McNemar) -> "Figure":
    """Draw the table of right predictions and the recall of each class."""
    from dlcourse.drawing.two_runs import ClassPair, draw_agreement

    labels = dict(zip(same.classes, class_labels(same.classes)[0], strict=True))
    rows = [ClassPair(labels[row.name], row.examples, row.a, row.b) for row in same.by_class]
    counts = [[test.both, test.only_a], [test.only_b, test.neither]]
    right_a, right_b = test.both + test.only_a, test.both + test.only_b
    title = (
        f"Test accuracy: A {right_a / test.n:.4f}, B {right_b / test.n:.4f} "
        f"on the same {test.n:,} examples (McNemar: {p_text(test.p)})"
    )
    return draw_agreement(counts, rows, title)


def errors_figure(same: SameExamples, found: PairedErrors) -> "Figure":
    """Draw the absolute errors of two regressions against each other."""
    from dlcourse.drawing.two_runs import draw_errors

    title = (
        f"Mean absolute error: A {found.mean_a:.4g}, B {found.mean_b:.4g} "
        f"on the same {found.n:,} test examples (Wilcoxon: {p_text(found.p)})"
    )
    return draw_errors(same.error(same.a), same.error(same.b), title)


def disagreements_figure(same: SameExamples) -> "Figure | None":
    """Draw the test images on which the classifiers disagree most, with both predictions.

    Returns None if the examples are no images, or if there is no disagreement.
    """
    from dlcourse.drawing.image_grid import draw_image_grid

    positions = same.disagreements(MOST_DISAGREEMENTS)
    if len(same.examples.inputs.shape) != 4 or not len(positions):
        return None
    index = positions.to(same.examples.device)
    ((images, _),) = same.examples.batches([index])
    labels = [shortened(label, 14) for label in class_labels(same.classes)[0]]
    texts = []
    for position in positions.tolist():
        lines = [f"true: {labels[int(same.targets[position])]}"]
        for letter, predictions in (("A", same.a), ("B", same.b)):
            shares = predictions[position]
            best = int(shares.argmax())
            lines.append(f"{letter}: {labels[best]} {shares[best]:.2f}")
        texts.append("\n".join(lines))
    total = int((same.a.argmax(1) != same.b.argmax(1)).sum())
    title = f"The {len(positions)} of {total:,} test images on which A and B disagree most"
    if len(positions) == total:
        title = f"All {total:,} test images on which A and B disagree"
    return draw_image_grid([shown_pixels(one) for one in images.cpu().numpy()], texts, title=title)


def shown_pixels(image: np.ndarray) -> np.ndarray:
    """Convert an image (C, H, W) of 0 to 255 to (H, W), or (H, W, 3) from 0 to 1."""
    if len(image) == 3:
        return np.moveaxis(image, 0, 2) / 255.0
    return image.mean(0) if len(image) > 1 else image[0]
