"""Logic gates."""

from pathlib import Path

import torch

from dlcourse.core import Dataset, Split

TRUTH = {  # the output for the inputs 00, 01, 10 and 11
    "and": (0, 0, 0, 1),
    "or": (0, 1, 1, 1),
    "xor": (0, 1, 1, 0),
    "nand": (1, 1, 1, 0),
    "nor": (1, 0, 0, 0),
    "xnor": (1, 0, 0, 1),
}


def gates(*, root: Path, seed: int, gate: str) -> Dataset:
    """Return the truth table of a gate: its four inputs (4, 2), 0 or 1, and their classes (4,).

    The table is all there is, so its four rows are the training part, the ready-made validation
    part and the test part at once: what is asked is whether a model can represent the gate.

    gate: ``and``, ``or``, ``nand`` and ``nor`` can be separated by a line, ``xor`` and ``xnor``
        cannot.

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
