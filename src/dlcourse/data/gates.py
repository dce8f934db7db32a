"""Truth tables of logic gates."""

from pathlib import Path

import torch

from dlcourse.core import Dataset, Split

TRUTH = {  # outputs for the inputs 00, 01, 10 and 11
    "and": (0, 0, 0, 1),
    "or": (0, 1, 1, 1),
    "xor": (0, 1, 1, 0),
    "nand": (1, 1, 1, 0),
    "nor": (1, 0, 0, 0),
    "xnor": (1, 0, 0, 1),
}


def gates(*, root: Path, seed: int, gate: str) -> Dataset:
    """Return the truth table of a gate: four inputs (4, 2) of 0 and 1, and their classes (4,).

    The four rows are training, validation and test part at once: the question is whether a model
    can represent the gate.

    gate: ``and``, ``or``, ``nand`` and ``nor`` are linearly separable, ``xor`` and
        ``xnor`` are not.

    Reference: Minsky, Papert, "Perceptrons", MIT Press, 1969.
    """
    inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    classes = torch.tensor(TRUTH[gate])
    return Dataset(
        name=gate,
        train=Split(inputs.repeat(2, 1), classes.repeat(2)),
        test=Split(inputs, classes),
        classes=("0", "1"),
        ready_val=len(inputs),
        verified=True,
    )
