"""Decision regions over two features, and the decision function of two classes with its margin."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import Split
from dlcourse.drawing.boundary import Points, draw_boundary
from dlcourse.drawing.decision_function import draw_decision_function
from dlcourse.errors import UserError, nearest
from dlcourse.introspect.classification import true_class
from dlcourse.introspect.grid import outputs_on_a_plane, predictor
from dlcourse.introspect.linear_map import feature_names
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.run_parts import RunParts, run_parts
from dlcourse.look.subject import Drawing, Subject

MOST_LISTED_FEATURES = 40


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw the regions of all classes; for two classes and a loss of scores the function too.

    Raises NotApplicableError for a regression, for images, and for more than two features none of
    which are chosen; UserError for features that do not exist.
    """
    if not subject.classes:
        raise NotApplicableError("what=boundary needs classes, and this run is a regression")
    if subject.opened.task == "multilabel":
        raise NotApplicableError("what=boundary needs one class for each example")
    if len(subject.input_shape) != 1 or subject.input_shape[0] < 2:
        shape = " x ".join(map(str, subject.input_shape))
        raise NotApplicableError(f"what=boundary needs two features, and an input here is {shape}")
    names = feature_names(subject.dataset)
    chosen = chosen_features(names, options["features"])
    parts = run_parts(subject)
    predict = predictor(subject.network, parts.fold.standardize, parts.recipe)
    center = parts.fold.train.inputs.cpu().double().nanmean(0)  # (D,)
    pair = torch.tensor(chosen)
    on_slice = slice_of(predict, center, pair)
    examples = {"train": parts.fold.train, "test": parts.test}
    both = torch.cat([split.inputs.cpu()[:, pair] for split in examples.values()])
    sides, outputs = outputs_on_a_plane(on_slice, both, options["points"])
    points = [plane_points(part, split, pair) for part, split in examples.items()]
    shown = [names[number] for number in chosen]
    rest = len(names) - 2
    note = f"\n{rest} other features are at their mean; examples are projected" if rest else ""
    test_outputs = predict(parts.test.inputs.cpu())
    right = int((test_outputs.argmax(1) == true_class(parts.test.targets).cpu()).sum())
    total = len(parts.test)
    title = f"{subject.result['data']}: {right:,} of {total:,} test examples are correct{note}"
    probabilities = torch.from_numpy(outputs).double().softmax(-1).numpy()
    figure = draw_boundary(
        sides, probabilities, points, subject.classes, features=shown, title=title
    )
    areas = np.bincount(outputs.argmax(2).ravel(), minlength=len(subject.classes))
    areas = areas / areas.sum()
    listed = ", ".join(
        f"{subject.classes[number]} {areas[number]:.0%}" for number in np.argsort(-areas)[:5]
    )
    more = " ..." if len(areas) > 5 else ""
    seen = (
        f"{right:,} of {total:,} test examples are correct; share of the drawn plane that is "
        f"predicted as each class: {listed}{more}"
    )
    own = "" if options["features"] or not rest else "-".join(shown)
    drawings = [Drawing(own, [figure], seen, line_art=True)]
    if len(subject.classes) == 2 and subject.opened.outputs == "scores":
        drawings.append(decision_drawing(subject, parts, sides, outputs, points[0], shown, note))
    return drawings


def chosen_features(names: list[str], typed: str) -> tuple[int, int]:
    """Return the numbers of the two features that are typed by name or number, ``a,b``.

    With two features none has to be typed. Raises NotApplicableError if there are more and none is
    typed, and UserError for features that do not exist.
    """
    listed = ", ".join(names[:MOST_LISTED_FEATURES])
    more = (
        f" and {len(names) - MOST_LISTED_FEATURES} more"
        if len(names) > MOST_LISTED_FEATURES
        else ""
    )
    if not typed:
        if len(names) == 2:
            return 0, 1
        raise NotApplicableError(
            f"what=boundary draws two features, and this run has {len(names)}: {listed}{more}.\n"
            f'Type features="{names[0]},{names[1]}" for a slice with the others at their mean'
        )
    wanted = [one.strip() for one in typed.strip("[]").split(",")]
    for one in wanted:
        if one not in names and not (one.isdecimal() and int(one) < len(names)):
            raise UserError(
                f"features={typed}: {one} is not a feature; {nearest(one, names)}\n"
                f'Type features="{names[0]},{names[1]}", or their numbers from 0'
            )
    found = [names.index(one) if one in names else int(one) for one in wanted]
    if len(found) != 2 or found[0] == found[1]:
        raise UserError(
            f"features={typed} is not allowed: two different features are drawn.\n"
            f'Type features="{names[0]},{names[1]}"'
        )
    return found[0], found[1]


def slice_of(
    predict: Callable[[Tensor], Tensor], center: Tensor, pair: Tensor
) -> Callable[[Tensor], Tensor]:
    """Return a function of two features (N, 2) -> outputs (N, K), all others at ``center`` (D,)."""

    def predict_on_slice(two: Tensor) -> Tensor:
        inputs = center.to(two.dtype).repeat(len(two), 1)  # (N, D)
        inputs[:, pair] = two
        return predict(inputs)

    return predict_on_slice


def plane_points(part: str, split: Split, pair: Tensor) -> Points:
    """Return the examples of a part as points of two features."""
    return Points(
        part, split.inputs.cpu()[:, pair].numpy(), true_class(split.targets).cpu().numpy()
    )


def decision_drawing(
    subject: Subject,
    parts: RunParts,
    sides: tuple[np.ndarray, np.ndarray],
    outputs: np.ndarray,
    points: Points,
    features: list[str],
    note: str,
) -> Drawing:
    """Draw the decision function, and mark the training examples within the margin or wrong."""
    margin = float(subject.config["loss"].get("margin", 1.0))
    predict = predictor(subject.network, parts.fold.standardize, parts.recipe)
    own = predict(parts.fold.train.inputs.cpu()).double()
    function = (own[:, 1] - own[:, 0]).numpy()
    signed = np.where(points.classes == 1, function, -function)  # above 0 if correct
    inside = signed < margin
    wrong = int((signed <= 0).sum())
    count, total = int(inside.sum()), len(inside)
    title = (
        f"Decision function with 0 and ±{margin:g}; {count:,} of {total:,} training examples "
        f"inside{note}"
    )
    figure = draw_decision_function(
        sides, outputs[:, :, 1] - outputs[:, :, 0], points, inside, subject.classes,
        margin=margin, features=features, title=title,
    )  # fmt: skip
    seen = (
        f"{count:,} of {total:,} training examples are within the margin of {margin:g} or wrong "
        f"({wrong:,} are wrong): with the hinge loss only these have a gradient"
    )
    return Drawing("decision_function", [figure], seen, line_art=True)
