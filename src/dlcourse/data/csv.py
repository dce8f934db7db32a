"""A user's own table."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.held_back import hold_back, hold_back_groups
from dlcourse.data.table import Table, column, is_number, number_column, read_table
from dlcourse.error import UserError

LEAST_GROUPS = 3  # one each to train, to validate and to test on


def csv(
    *,
    root: Path,
    seed: int,
    file: str,
    target: str,
    features: Sequence[str] | None,
    group: str | None,
    task: str,
    separator: str,
    test_fraction: float,
) -> Dataset:
    """Return the rows of a table: features (N, D) and a target column, classes or values.

    ``test_fraction`` of the rows is held back, class by class, the same in every run. The classes
    are the different cells of the target column, in numeric order if all of them are numbers.

    file: a CSV file in ``root`` whose first line names the columns.
    target: the column to predict.
    features: the columns to predict it from; None takes all but ``target`` and ``group``.
    group: a column that names what rows belong together, such as a patient: none of its groups is
        on both sides of a split, and the rows held back are whole groups, whatever their classes.
    task: ``classification`` or ``regression``.
    separator: ``comma``, ``semicolon``, ``tab`` or ``space`` between the cells.

    Raises UserError, with the line and the column, for what cannot be meant.
    """
    table = read_table(root / file, separator)
    chosen = _chosen(table, target, features, group)
    groups = None if group is None else _groups(table, group, target)  # (N,)
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
    everything, name = Split(inputs, targets), table.path.stem
    if groups is None:
        train, test = hold_back(everything, held, classes=bool(classes))
    else:
        train, test, groups = hold_back_groups(everything, groups, held)
    return Dataset(name=name, train=train, test=test, classes=classes, groups=groups)


def _chosen(
    table: Table, target: str, features: Sequence[str] | None, group: str | None
) -> list[str]:
    """Return the columns to predict from; raises UserError where there are none to be meant."""
    others = [name for name in table.header if name not in (target, group)]
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


def _groups(table: Table, group: str, target: str) -> Tensor:
    """Return the group (N,) of every row."""
    cells = column(table, group, "data.group")
    if group == target:
        raise UserError(
            f"data.group={group} is also what is to be predicted.\n"
            "Type another data.group, or data.group=null"
        )
    values = _values(cells)
    order = sorted(set(values))
    if len(order) < LEAST_GROUPS:
        raise UserError(
            f"{table.path}, column {group}: the rows are of {len(order)} groups, and to train, "
            f"validate and test on different ones takes {LEAST_GROUPS}.\n"
            "Type another data.group, or data.group=null"
        )
    number = {value: position for position, value in enumerate(order)}
    return torch.tensor([number[value] for value in values])


def _values(cells: list[str]) -> list:
    """Return cells as numbers if all of them are: 1 and 1.0 are then the same."""
    return list(map(float, cells)) if all(map(is_number, cells)) else cells


def _classes(table: Table, target: str) -> tuple[Tensor, tuple[str, ...]]:
    """Return the class (N,) of every row and the names of the classes."""
    cells = column(table, target, "data.target")
    values = _values(cells)
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
