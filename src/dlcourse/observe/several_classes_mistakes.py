"""The plot of mistakes where an example can have several classes."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dlcourse.introspect.displayed import displayed
from dlcourse.introspect.linear_map import feature_names
from dlcourse.introspect.several_classes import HALF, class_list, predicted_classes
from dlcourse.observe.example_plots import Finished, examples_at

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_SHOWN = 25


def mistakes_of_several(run: Finished) -> "Figure":
    """Draw the test examples with the most confident wrong decision on one of their classes.

    Images have the classes below them: their own, those that are missed and those that are wrongly
    predicted. Rows of a table are listed in the same way.
    """
    from dlcourse.drawing.several_classes import draw_image_labels, draw_row_labels

    test, dataset = run.test, run.test.dataset
    threshold = run.result.get("threshold", HALF)
    predicted, own = predicted_classes(test.outputs, threshold), test.targets > HALF
    found = worst_decisions(test.outputs, predicted, own)
    classes = list(dataset.classes)
    labels = [
        (class_list(own[n], classes), class_list(own[n] & ~predicted[n], classes),
         class_list(predicted[n] & ~own[n], classes))
        for n in found
    ]  # fmt: skip
    inputs = examples_at(dataset.test, found)
    wrong = int((predicted != own).any(1).sum())
    title = (
        f"{len(found)} of {wrong:,} test examples (of {len(own):,}) with a missed or wrong class"
        if wrong
        else f"No mistakes among {len(own):,} test examples; the {len(found)} least certain"
    )
    if len(dataset.input_shape) == 3:
        return draw_image_labels(displayed(inputs), labels, title)
    return draw_row_labels(inputs.float().numpy(), feature_names(dataset), labels, title)


def worst_decisions(outputs: Tensor, predicted: Tensor, own: Tensor) -> list[int]:
    """Return the examples with the largest probability of a wrong decision, the worst first.

    Without wrong decisions, those whose own decisions have the smallest probability.
    """
    certainty = torch.where(predicted, outputs, -outputs)  # log-odds of what is predicted
    worst = certainty.where(predicted != own, -torch.inf).amax(1)  # (N,)
    if not worst.isfinite().any():
        return certainty.amin(1).argsort(stable=True)[:MOST_SHOWN].tolist()
    order = worst.argsort(descending=True, stable=True)
    return order[: min(MOST_SHOWN, int(worst.isfinite().sum()))].tolist()
