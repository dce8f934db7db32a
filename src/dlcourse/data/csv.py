"""A user's own table."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.held_back import hold_back
from dlcourse.data.table import Table, column, is_number, number_column, read_table
from dlcourse.error import UserError


def csv(
    *,
    root: Path,
    seed: int,
    file: str,
    target: str,
    features: Sequence[str] | None,
    task: str,
    separator: str,
    test_fraction: float,
) -> Dataset:
    """Return the rows of a table: features (N, D) and a target column, classes or values.

    ``test_fraction`` of the rows is held back, class by class, the same in every run. The classes
    are the different cells of the target column, in numeric order if all of them are numbers.

    file: a CSV file in ``root`` whose first line names the columns.
    target: the column to predict.
    features: the columns to predict it from; None takes all others.
    task: ``classification`` or ``regression``.
    separator: ``comma``, ``semicolon``, ``tab`` or ``space`` between the cells.

    Raises UserError, with the line and the column, for what cannot be meant.
    """
    table = read_table(root / file, separator)
    chosen = _chosen(table, target, features)
    if task == "regression":
        values = number_column(table, target, "data.target")
        targets, classes = torch.tensor(values).unsqueeze(1), ()  # (N, 1)
    else:
        targets, classes = _classes(table, target)  # (N,)
    columns = [number_column(table, name, "data.features") for name in chosen]
    inputs = torch.tensor(columns).T.contiguous()  # (N, D)
    held = round(len(inputs) * test_fraction)
    if not 0 < held < len(inputs):
        raise UserError(
            f"data.test_fraction={test_fraction} of {len(inputs)} rows leaves {held} to test on.\n"
            "Type another fraction, or add rows"
        )
    train, test = hold_back(Split(inputs, targets), held, classes=bool(classes))
    return Dataset(name=table.path.stem, train=train, test=test, classes=classes)


def _chosen(table: Table, target: str, features: Sequence[str] | None) -> list[str]:
    """Return the columns to predict from; raises UserError where there are none to be meant."""
    others = [name for name in table.header if name != target]
    chosen = others if features is None else list(features)
    if not chosen:
        raise UserError(
            f"{table.path}: there is no column to predict {target} from.\n"
            "Type data.features=null for all other columns, and see that there are some"
        )
    if target in chosen:
        raise UserError(
            f"data.features has {target}, which is what is to be predicted.\n"
            "Leave it out, or type another data.target"
        )
    twice = [name for name in chosen if chosen.count(name) > 1]
    if twice:
        raise UserError(f"data.features has {twice[0]} more than once.\nName it once")
    return chosen


def _classes(table: Table, target: str) -> tuple[Tensor, tuple[str, ...]]:
    """Return the class (N,) of every row and the names of the classes."""
    cells = column(table, target, "data.target")
    values = list(map(float, cells)) if all(map(is_number, cells)) else cells
    order = sorted(set(values))
    written = dict(zip(reversed(values), reversed(cells), strict=True))  # 1 and 1.0 are one class
    if len(order) == 1:
        raise UserError(
            f"{table.path}, column {target}: every cell is {cells[0]}, and a classification needs "
            "at least 2 classes.\nType another data.target"
        )
    if len(order) == len(cells):
        raise UserError(
            f"{table.path}, column {target}: all {len(cells)} cells are different, so there are no "
            "classes to learn.\nType data.task=regression loss=mse 'metric=[rmse,r2]' "
            "monitor=val/loss mode=min, or another data.target"
        )
    number = {value: position for position, value in enumerate(order)}
    targets = torch.tensor([number[value] for value in values])
    return targets, tuple(written[value] for value in order)
