"""The PR Curves tab of TensorBoard: precision and recall of each class at the final test."""

from collections.abc import Iterator

import torch
from torch import Tensor

from dlcourse.core import FinalTest
from dlcourse.drawing.text import visible


def pr_curves(test: FinalTest, most: int) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield tag, labels (N,) and probabilities (N,) of each class against all others.

    Of more than ``most`` classes only those with the lowest recall are shown. Outputs that are no
    probabilities have no curves.
    """
    turn = {"softmax": lambda outputs: outputs.softmax(1), "sigmoid": torch.sigmoid}
    if test.kind not in turn or not test.dataset.classes:
        return
    probabilities = turn[test.kind](test.outputs.double())
    classes = test.targets if test.targets.dim() == 1 else test.targets.argmax(1)
    right = probabilities.argmax(1) == classes
    recalls = [
        float(right[classes == number].double().mean()) if (classes == number).any() else 2.0
        for number in range(len(test.dataset.classes))
    ]
    shown = sorted(range(len(recalls)), key=lambda number: recalls[number])[:most]
    for number in sorted(shown):
        if recalls[number] <= 1:
            name = visible(test.dataset.classes[number])
            yield f"class/{name}", classes == number, probabilities[:, number]
