"""The predictions of two runs on the same test examples."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import Split
from dlcourse.engine.retest import Retest
from dlcourse.introspect.several_classes import HALF

DECIDES_EXAMPLES = ("data.seed", "data.test_examples", "data.test_fraction", "split.seed")
"""Options that choose the test examples, for inputs that cannot be compared directly."""
OF_TABLES = ("root", "file", "test_file", "id")
"""Options of ``data`` that choose the rows of a user's own table."""


class ClassDifference(NamedTuple):
    """The recall of one class by A and by B, and the number of its test examples."""

    name: str
    examples: int
    a: float
    b: float


@dataclass(frozen=True)
class SameExamples:
    """Two models' predictions on the same N test examples.

    examples: as the first run reads them. a, b: (N, K) class probabilities or values.
    """

    examples: Split
    classes: tuple[str, ...]
    a: Tensor
    b: Tensor

    @cached_property
    def targets(self) -> Tensor:
        """The classes (N,), several of them (N, K), or the values (N, K), on the CPU."""
        return self.examples.targets.cpu()

    @property
    def several(self) -> bool:
        """Whether an example can have several classes."""
        return bool(self.classes) and self.targets.dim() == 2

    def right(self, predictions: Tensor) -> np.ndarray:
        """Return for each example whether exactly its classes are predicted: (N,) bool."""
        if self.several:
            return ((predictions > HALF) == (self.targets > HALF)).all(1).numpy()
        return (predictions.argmax(1) == self.targets).numpy()

    def error(self, predictions: Tensor) -> np.ndarray:
        """Return the absolute error (N,) of each example, the mean over the K values."""
        return (predictions.double() - self.targets.double()).abs().mean(1).numpy()

    @cached_property
    def by_class(self) -> list[ClassDifference]:
        """The recall of each class, those by which B gains most first; without absent classes."""
        if self.several:
            own = (self.targets > HALF).numpy()
            hits = ((some > HALF).numpy() & own for some in (self.a, self.b))
            counts, right_a, right_b = (some.sum(0) for some in (own, *hits))
        else:
            targets = self.targets.numpy()
            counts, right_a, right_b = (
                np.bincount(targets, weights, len(self.classes))
                for weights in (None, self.right(self.a), self.right(self.b))
            )
        rows = [
            ClassDifference(name, int(n), a / n, b / n)
            for name, n, a, b in zip(self.classes, counts, right_a, right_b, strict=True)
            if n
        ]
        return sorted(rows, key=lambda row: row.a - row.b)

    def disagreements(self, most: int) -> Tensor:
        """Return the positions of examples that the two classify differently.

        Those come first for which the probabilities of the true class differ most. Examples with
        several classes have none.
        """
        if self.several:
            return torch.zeros(0, dtype=torch.int64)
        own = self.targets[:, None]
        apart = (self.a.gather(1, own) - self.b.gather(1, own)).abs().squeeze(1)
        apart[self.a.argmax(1) == self.b.argmax(1)] = -1.0
        order = apart.argsort(descending=True, stable=True)
        return order[: min(most, int((apart >= 0).sum()))]


def same_examples(first: Retest, second: Retest) -> SameExamples | str:
    """Return both predictions, or the reason why the test examples are not the same."""
    for letter, one in (("A", first), ("B", second)):
        if one.examples is None:
            return f"the folds of {letter} are tested on different examples"
    a, b = tested_examples(first), tested_examples(second)
    counts = len(a), len(b)
    if counts[0] != counts[1]:
        return f"A is tested on {counts[0]:,} examples and B on {counts[1]:,}"
    digests = [one.dataset.fingerprint.test.digest for one in (first, second)]
    if digests[0] != digests[1] and not same_rows(first, second):
        return "A and B are tested on different data"
    if not (torch.equal(a.targets.cpu(), b.targets.cpu()) and equal_inputs(first, second)):
        return "the test examples of A and B are others, or in another order"
    return SameExamples(a, first.dataset.classes, first.predictions, second.predictions)


def tested_examples(tested: Retest) -> Split:
    """Return the test examples of a run that has the same ones for all folds."""
    assert tested.examples is not None
    return tested.examples


def equal_inputs(first: Retest, second: Retest) -> bool:
    """Return whether two runs are tested on the same inputs, as far as that can be seen.

    Images that one run reads in another size are compared by their files, or by the options that
    choose them.
    """
    a, b = tested_examples(first), tested_examples(second)
    if a.contents is not None and b.contents is not None:
        return torch.equal(a.contents, b.contents)
    in_memory = isinstance(a.inputs, Tensor) and isinstance(b.inputs, Tensor)
    if same_rows(first, second):
        return True
    if in_memory and a.inputs.shape == b.inputs.shape:
        return np.array_equal(a.inputs.cpu().numpy(), b.inputs.cpu().numpy(), equal_nan=True)
    return decisive(first.config) == decisive(second.config)


def same_rows(first: Retest, second: Retest) -> bool:
    """Return whether two runs are tested on the same rows of one table, whatever columns they take.

    The rows are compared by their names, and the table by the options that name its file.
    """
    files, names = [], []
    for one in (first, second):
        if one.dataset.encoding is None or one.examples is None or one.examples.ids is None:
            return False
        files.append([one.config["data"][key] for key in OF_TABLES])
        names.append(one.examples.ids)
    return files[0] == files[1] and np.array_equal(*names)


def decisive(config: dict) -> Sequence[object]:
    """Return the values of the options that choose the test examples."""
    found = []
    for key in DECIDES_EXAMPLES:
        group, _, name = key.partition(".")
        found.append(config[group].get(name))
    return [config["data"]["_target_"], *found]
