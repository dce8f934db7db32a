"""The PR Curves tab of TensorBoard: precision and recall of each class at the final test."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.core import FinalTest
from dlcourse.drawing.text import visible
from dlcourse.introspect.several_classes import HALF


def pr_curves(test: FinalTest, most: int) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield tag, labels (N,) and probabilities (N,) of each class against all others.

    Of more than ``most`` classes only those with the lowest recall are shown. Outputs that are no
    probabilities have no curves.
    """
    turn = {"softmax": lambda outputs: outputs.softmax(1), "sigmoid": torch.sigmoid}
    if test.kind not in turn or not test.dataset.classes:
        return
    if test.dataset.task == "multilabel":
        probabilities, own = test.outputs.double().sigmoid(), test.targets > HALF
        recalls = [float((p > HALF)[t].double().mean()) if t.any() else 2.0
                   for p, t in zip(probabilities.T, own.T, strict=True)]  # fmt: skip
        yield from curves_of_worst(test, own, probabilities, recalls, most)
        return
    probabilities = turn[test.kind](test.outputs.double())
    classes = test.targets if test.targets.dim() == 1 else test.targets.argmax(1)
    right = probabilities.argmax(1) == classes
    recalls = [
        float(right[classes == number].double().mean()) if (classes == number).any() else 2.0
        for number in range(len(test.dataset.classes))
    ]
    own = F.one_hot(classes, len(recalls)).bool()
    yield from curves_of_worst(test, own, probabilities, recalls, most)


def curves_of_worst(
    test: FinalTest, own: Tensor, probabilities: Tensor, recalls: list[float], most: int
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Yield what ``pr_curves`` does, for the ``most`` classes with the lowest recall.

    own: (N, K) bool. recalls: above 1 for a class without examples.
    """
    shown = sorted(range(len(recalls)), key=lambda number: recalls[number])[:most]
    for number in sorted(shown):
        if recalls[number] <= 1:
            name = visible(test.dataset.classes[number])
            yield f"class/{name}", own[:, number], probabilities[:, number]
