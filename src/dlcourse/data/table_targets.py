"""The columns of a table that are no features: targets, groups, weights and names of rows."""

import logging
import math
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import torch
from torch import Tensor

from dlcourse.data.cells import (
    WHOLE_NUMBER_END,
    is_missing,
    is_number,
    number_of,
    truth_in,
    why_no_number,
    with_point,
)
from dlcourse.data.table import Table, column
from dlcourse.errors import UserError, nearest, shown

LEAST_GROUPS = 3  # one each for training, validation and test

log = logging.getLogger(__name__)


def number_column(table: Table, name: str, key: str) -> list[float]:
    """Return a column's cells as numbers; raises UserError for the first that is not a number.

    key: the config key that names the column, for the message.
    """
    cells = column(table, name, key)
    for row, cell in enumerate(cells):
        if not is_number(cell, table.decimal):
            raise UserError(
                f"{table.place(row, name)}: {shown(cell)!r} is not a number.\n"
                f"{why_no_number(cell, table.decimal)}, or name other columns in {key}"
            )
    return [number_of(cell, table.decimal) for cell in cells]


def row_groups(table: Table, group: str, targets: Sequence[str]) -> Tensor:
    """Return the group (N,) of every row."""
    cells = column(table, group, "data.group")
    if group in targets:
        raise UserError(
            f"data.group={group} is also the column to predict.\n"
            "Type another data.group, or data.group=null"
        )
    values = cell_values(table, group, cells)
    order = sorted(set(values))
    if len(order) < LEAST_GROUPS:
        raise UserError(
            f"{shown(table.path)}, column {group}: the rows belong to {len(order)} groups, and "
            f"training, validation and test need at least {LEAST_GROUPS}.\n"
            "Type another data.group, or data.group=null"
        )
    number = {value: position for position, value in enumerate(order)}
    return torch.tensor([number[value] for value in values])


def cell_values(table: Table, name: str, cells: list[str]) -> list:
    """Return the cells as numbers if all of them are numbers, so that 1 and 1.0 are equal.

    Raises UserError if a number is written in two ways, such as ``1`` and ``01`` or ``10`` and
    ``1E1``, because these may be different codes.
    """
    if not all(is_number(cell, table.decimal) for cell in cells):
        return cells
    values = [Decimal(with_point(cell, table.decimal)) for cell in cells]
    first: dict[Decimal, tuple[str, int]] = {}
    for value, cell, line in zip(values, cells, table.lines, strict=True):
        other, above = first.setdefault(value, (cell, line))
        if other != cell and WHOLE_NUMBER_END.sub("", other) != WHOLE_NUMBER_END.sub("", cell):
            raise UserError(
                f"{shown(table.path)}, column {name}: {other} ({table.unit} {above}) and {cell} "
                f"({table.unit} {line}) are one number, written in two ways.\nWrite them alike if "
                f"they are the same; put a letter in front, x{other} and x{cell}, if they are "
                "different codes"
            )
    return values


def row_classes(
    table: Table, target: str, words: set[str], test: Table | None
) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Return the class (N,) of every row, the same of the test rows, and the names of the classes.

    words: those for missing cells, in lower case; as classes they are reported. test: the table of
    the test rows; None without. Raises UserError for a class that only test rows have.
    """
    cells = column(table, target, "data.target")
    values = cell_values(table, target, cells)
    written = dict(zip(reversed(values), reversed(cells), strict=True))  # as first written
    order = sorted(written)
    refuse_no_classes(table, target, cells, len(order))
    for cell in sorted({cell for cell in cells if is_missing(cell, words)}):
        log.warning(
            "%s, column %s: %d cells are %s, which counts as a class",
            shown(table.path), target, cells.count(cell), cell,
        )  # fmt: skip
    number = {value: position for position, value in enumerate(order)}
    targets = torch.tensor([number[value] for value in values])
    names = tuple(written[value] for value in order)
    held = torch.zeros(0, dtype=torch.int64)
    if test is not None:
        as_value = cell_values(test, target, column(test, target, "data.target"))
        for row, value in enumerate(as_value):
            if value not in number:
                raise UserError(
                    f"{test.place(row, target)}: {value} is no class of the training rows; "
                    f"{nearest(str(value), names)}.\nCorrect the cell, or remove the row"
                )
        held = torch.tensor([number[value] for value in as_value])
    return targets, held, names


def refuse_no_classes(table: Table, target: str, cells: list[str], classes: int) -> None:
    """Raise UserError if a column has one class only, or a class for each row."""
    if classes == 1:
        raise UserError(
            f"{shown(table.path)}, column {target}: every cell is {cells[0]}, and a classification "
            "needs at least 2 classes.\nType another data.target"
        )
    if classes == len(cells):
        raise UserError(
            f"{shown(table.path)}, column {target}: all {len(cells)} cells are different, so there "
            "are no classes to learn.\nType data.task=regression loss=mse 'metric=[rmse,r2]' "
            "monitor=val/loss mode=min, or another data.target"
        )


def values_to_predict(table: Table, targets: Sequence[str]) -> Tensor:
    """Return the values (N, K) of a regression, float32."""
    return torch.tensor([number_column(table, name, "data.target") for name in targets]).T


def row_labels(table: Table, targets: Sequence[str]) -> Tensor:
    """Return 1 for each class of a row and 0 for the others (N, K), float32; a column is a class.

    Raises UserError for a cell that is not 0 or 1, true or false, yes or no.
    """
    rows = []
    for name in targets:
        cells = column(table, name, "data.target")
        for row, cell in enumerate(cells):
            if truth_in(cell) is None:
                raise UserError(
                    f"{table.place(row, name)}: {shown(cell)!r} does not say whether the row has "
                    "the class: 0 or 1, true or false, yes or no do.\nCorrect the cell, or name "
                    "other columns in data.target"
                )
        rows.append([float(truth_in(cell) or 0) for cell in cells])
    return torch.tensor(rows).T.contiguous()


def row_weights(table: Table, name: str) -> Tensor:
    """Return the weight (N,) of every row, float32; raises UserError for one below 0."""
    weights = number_column(table, name, "data.weight")
    for row, weight in enumerate(weights):
        if weight < 0:
            raise UserError(
                f"{table.place(row, name)}: the weight {weight:g} is below 0.\n"
                "Correct the cell; 0 leaves the row out of the training loss"
            )
    if not math.fsum(weights) > 0:
        raise UserError(
            f"{shown(table.path)}, column {name}: every weight is 0.\n"
            "Type another data.weight, or data.weight=null"
        )
    return torch.tensor(weights)


def names_of_rows(table: Table, name: str | None) -> np.ndarray:
    """Return the name (N,) of every row: its cell in a column, or the number of its line."""
    cells = table.lines if name is None else column(table, name, "data.id")
    return np.array([str(cell) for cell in cells])
