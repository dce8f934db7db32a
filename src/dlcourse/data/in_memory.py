"""The arrays of a Python program, which only that program has."""

from pathlib import Path

from dlcourse.core import Dataset
from dlcourse.errors import UserError


def in_memory(*, root: Path, seed: int, task: str) -> Dataset:
    """Raise UserError: the data are given to the run by ``dlcourse.Classifier`` or ``Regressor``.

    task: ``classification``, ``multilabel`` or ``regression``.
    """
    raise UserError(
        "data=in_memory are arrays of a Python program, and a run does not store them.\n"
        "Type dlcourse.Classifier(...).fit(X, y) in Python, or data=csv or data=npz for a file"
    )
