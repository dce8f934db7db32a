"""The table of a race on the terminal."""

import re
from collections.abc import Sequence
from itertools import compress

from dlcourse.race.outcome import PathOutcome

RACE_COLUMNS = ("optimizer", "rate", "steps", "gradients", "final loss", "distance")
OPTIONAL = ("gradients",)
"""Columns that are left out on a narrow terminal."""
COLUMN_GAP = "  "


def race_table(outcomes: Sequence[PathOutcome], width: int) -> list[str]:
    """Return a race's table as lines of at most ``width`` columns if it can be that narrow.

    Labels that would make the table too wide have a line of their own.
    """
    rows = [RACE_COLUMNS, *map(cells_of, outcomes)]
    for left_out in ((), OPTIONAL):
        kept = [name not in left_out for name in RACE_COLUMNS]
        shown = [[*compress(row, kept)] for row in rows]
        lines = aligned(shown)
        if max(map(len, lines)) <= width:
            return lines
    values = aligned([["", *row[1:]] for row in shown])
    first, *rest = values
    lines = [f"{RACE_COLUMNS[0]}{first[len(RACE_COLUMNS[0]) :]}"]
    for row, line in zip(shown[1:], rest, strict=True):
        lines += [row[0], line]
    return lines


def cells_of(one: PathOutcome) -> tuple[str, ...]:
    """Return the cells of a racer's row."""
    diverged = one.trajectory.diverged
    steps = {"arrived": f"{one.arrived or 0:,}", "no minimum": "-"}
    return (
        re.sub(r" lr=\S+", "", one.racer.label),  # the next column has it
        one.racer.rate,
        steps.get(one.state, one.state),
        f"{one.gradients:,}",
        "-" if diverged else f"{one.excess[-1]:.1e}",
        "-" if diverged or one.distance is None else f"{one.distance:.1e}",
    )


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines: the first column to the left, all others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        COLUMN_GAP.join(
            cell.rjust(size) if number else cell.ljust(size)
            for number, (cell, size) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
