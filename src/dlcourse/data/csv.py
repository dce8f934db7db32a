"""A user's own table in a CSV file."""

import logging
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.table import (
    MISSING,
    Table,
    column,
    is_number,
    lost_digits,
    number_column,
    read_table,
)
from dlcourse.data.test_split import split_off_test, split_off_test_groups
from dlcourse.errors import UserError, shown

LEAST_GROUPS = 3  # one each for training, validation and test

WHOLE_NUMBER_END = re.compile(r"(?<=\d)\.0*$")  # the end of a whole number written as 2.0

log = logging.getLogger(__name__)


def csv(
    *,
    root: Path,
    seed: int,
    file: str,
    target: str | int,
    features: Sequence[str | int] | None,
    group: str | int | None,
    task: str,
    separator: str,
    test_fraction: float,
) -> Dataset:
    """Return the rows of a table: features (N, D), and a target column of classes or values.

    ``test_fraction`` of the rows becomes the test part: the same share of every class, and the same
    rows in every run. The classes are the distinct cells of the target column, in numeric order if
    all of them are numbers. Warnings name the columns whose numbers lose digits as 32-bit floats,
    and cells such as NA that count as classes.

    file: a CSV file in ``root`` whose first line names the columns.
    target: the column to predict.
    features: the columns to predict it from; None takes all but ``target`` and ``group``.
    group: a column with the group of every row, for example the patient. All rows of a group are
        on the same side of every split; the test part then consists of whole groups, and the
        shares of the classes are not balanced.
    task: ``classification`` or ``regression``.
    separator: between the cells, ``comma``, ``semicolon``, ``tab`` or ``space``.

    Raises UserError, with the line and the column, for an invalid table or invalid options.
    """
    table = read_table(root / file, separator)
    target, group = str(target), None if group is None else str(group)  # a name such as 2 is an int
    features = None if features is None else [str(name) for name in features]
    chosen = _chosen(table, target, features, group)
    groups = None if group is None else _groups(table, group, target)  # (N,)
    if task == "regression":
        values = number_column(table, target, "data.target")
        targets, classes = torch.tensor(values).unsqueeze(1), ()  # (N, 1)
    else:
        targets, classes = _classes(table, target)  # (N,)
    columns = [number_column(table, name, "data.features") for name in chosen]
    report_lost_digits(table, chosen if classes else [*chosen, target])
    inputs = torch.tensor(columns).T.contiguous()  # (N, D)
    held = round(len(inputs) * test_fraction)
    if not 0 < held < len(inputs):
        raise UserError(
            f"data.test_fraction={test_fraction} of {len(inputs)} rows leaves {held} to test on.\n"
            "Type another fraction, or add rows"
        )
    everything, name = Split(inputs, targets), shown(table.path.stem)
    if groups is None:
        train, test = split_off_test(everything, held, seed, classes=bool(classes))
    else:
        train, test, groups = split_off_test_groups(everything, groups, held, seed)
    return Dataset(
        name=name, train=train, test=test, classes=classes, groups=groups, features=tuple(chosen)
    )


def report_lost_digits(table: Table, names: Sequence[str]) -> None:
    """Log a warning that names the columns whose numbers lose digits as 32-bit floats."""
    found = [(name, lost_digits(table, name)) for name in names]
    lost = ", ".join(f"{name} ({example})" for name, example in found if example)
    if lost:
        log.warning(
            "%s: columns lose digits as 32-bit floats: %s; subtract a constant from the column, "
            "or name others in data.features", shown(table.path), lost,
        )  # fmt: skip


def _chosen(
    table: Table, target: str, features: Sequence[str] | None, group: str | None
) -> list[str]:
    """Return the feature columns; raises UserError for none, the target, or one named twice."""
    others = [name for name in table.header if name not in (target, group)]
    chosen = others if features is None else list(features)
    if not chosen:
        raise UserError(
            f"{shown(table.path)}: there is no column to predict {target} from.\n"
            "Type data.features=null for all other columns, or add columns to the table"
        )
    if target in chosen:
        raise UserError(
            f"data.features has {target}, which is the column to predict.\n"
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
            f"data.group={group} is also the column to predict.\n"
            "Type another data.group, or data.group=null"
        )
    values = _values(table, group, cells)
    order = sorted(set(values))
    if len(order) < LEAST_GROUPS:
        raise UserError(
            f"{shown(table.path)}, column {group}: the rows belong to {len(order)} groups, and "
            f"training, validation and test need at least {LEAST_GROUPS}.\n"
            "Type another data.group, or data.group=null"
        )
    number = {value: position for position, value in enumerate(order)}
    return torch.tensor([number[value] for value in values])


def _values(table: Table, name: str, cells: list[str]) -> list:
    """Return the cells as numbers if all of them are numbers, so that 1 and 1.0 are equal.

    Raises UserError if a number is written in two ways, such as ``1`` and ``01`` or ``10`` and
    ``1E1``, because these may be different codes.
    """
    if not all(map(is_number, cells)):
        return cells
    values = list(map(Decimal, cells))
    first: dict[Decimal, tuple[str, int]] = {}
    for value, cell, line in zip(values, cells, table.lines, strict=True):
        other, above = first.setdefault(value, (cell, line))
        if other != cell and WHOLE_NUMBER_END.sub("", other) != WHOLE_NUMBER_END.sub("", cell):
            raise UserError(
                f"{shown(table.path)}, column {name}: {other} (line {above}) and {cell} (line "
                f"{line}) are one number, written in two ways.\nWrite them alike if they are the "
                f"same; put a letter in front, x{other} and x{cell}, if they are different codes"
            )
    return values


def _classes(table: Table, target: str) -> tuple[Tensor, tuple[str, ...]]:
    """Return the class (N,) of every row and the names of the classes."""
    cells = column(table, target, "data.target")
    values = _values(table, target, cells)
    written = dict(zip(reversed(values), reversed(cells), strict=True))  # as first written
    order = sorted(written)
    if len(order) == 1:
        raise UserError(
            f"{shown(table.path)}, column {target}: every cell is {cells[0]}, and a classification "
            "needs at least 2 classes.\nType another data.target"
        )
    if len(order) == len(cells):
        raise UserError(
            f"{shown(table.path)}, column {target}: all {len(cells)} cells are different, so there "
            "are no classes to learn.\nType data.task=regression loss=mse 'metric=[rmse,r2]' "
            "monitor=val/loss mode=min, or another data.target"
        )
    for cell in sorted({cell for cell in cells if cell.lower() in MISSING}):
        log.warning(
            "%s, column %s: %d cells are %s, which counts as a class",
            shown(table.path), target, cells.count(cell), cell,
        )  # fmt: skip
    number = {value: position for position, value in enumerate(order)}
    targets = torch.tensor([number[value] for value in values])
    return targets, tuple(written[value] for value in order)
