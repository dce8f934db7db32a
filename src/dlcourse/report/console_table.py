"""The ranking on the terminal: a table if it fits, else a few lines for each point."""

from collections.abc import Sequence
from itertools import compress

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlcourse.report.formatting import option_text
from dlcourse.report.points import MAIN, Point, split_keys
from dlcourse.report.table_rows import (
    OPTIONS_COLUMN,
    column_names,
    interval_name,
    labels_in,
    omitted_text,
    ranking_rows,
    typed_words,
)
from dlcourse.terminal.fitted import UNBOUNDED, hung, terminal_width

OPTIONAL_COLUMNS = ("n", "epochs", "seconds")
"""Columns that are omitted on a narrow terminal; the CSV has them."""
MIN_OPTIONS_WIDTH = 24  # the smallest width of the column of options


def console_table(points: list[Point], keys: list[str]) -> str:
    """Return the ranking as text that fits the terminal.

    It is a table with a column for each key, or with one column for all but the main keys, or
    without the optional columns; if none of these fits, a few lines for each point.
    """
    width = terminal_width()
    main = [key for key in keys if key in MAIN]
    others = [key for key in keys if key not in MAIN]
    ways = [split_keys(points, keys), (main, others)]
    labels = tuple(reversed(labels_in(points)))
    less = [labels[: number + 1] for number in range(len(labels))]
    few = (*labels, *OPTIONAL_COLUMNS)
    for left_out in ((), *less, few, (interval_name(points), *few)):
        for own, shared in ways:
            table = rich_table(points, own, shared, left_out)
            if min_width(table) <= width:
                absent = [name for name in column_names(points, [], []) if name in left_out]
                note = f"{', '.join(absent)}: see results.csv" if absent else ""
                return "\n".join(
                    filter(None, [render_table(table, width), note, omitted_text(points)])
                )
    return "\n".join(filter(None, [listing(points, keys, width), omitted_text(points)]))


def rich_table(
    points: list[Point], keys: list[str], shared: list[str], left_out: Sequence[str]
) -> Table:
    """Return the table; only the column of shared keys wraps its text."""
    narrow = {"box": box.SIMPLE_HEAD, "collapse_padding": True, "pad_edge": False}
    table = Table(**(narrow if left_out else {}))
    names = column_names(points, keys, shared)
    shown = [name in keys or name not in left_out for name in names]
    for name in compress(names, shown):
        options = (name == OPTIONS_COLUMN and bool(shared)) or name in labels_in(points)
        justify = "left" if name in keys or options else "right"
        table.add_column(
            Text(name),
            justify=justify,
            overflow="fold" if options else "ellipsis",
            no_wrap=not options,
        )
    for row in ranking_rows(points, keys, shared):
        table.add_row(*map(Text, compress(row, shown)))
    return table


def min_width(table: Table) -> int:
    """Return the smallest width at which a table is readable, in columns."""
    console = Console(width=UNBOUNDED, force_jupyter=False)
    whole = console.measure(table).maximum
    for number, column in enumerate(table.columns):
        if not column.no_wrap:
            cells = [len(str(cell)) for cell in table.columns[number].cells]
            whole -= max(0, max(cells, default=0) - MIN_OPTIONS_WIDTH)
    return whole


def render_table(table: Table, width: int) -> str:
    """Return a table as text."""
    console = Console(width=width, force_jupyter=False)
    with console.capture() as captured:
        console.print(table)
    lines = [line.rstrip() for line in captured.get().split("\n")]
    return "\n".join(lines).strip("\n")


def listing(points: list[Point], keys: list[str], width: int) -> str:
    """Return a few lines for each point: its rank, its options and its values."""
    names = column_names(points, [], [])[1:]
    main = [key for key in keys if key in MAIN]
    others = [key for key in keys if key not in MAIN]
    lines = []
    for point, (rank, *values) in zip(points, ranking_rows(points, [], []), strict=False):
        present = [f"{key}={option_text(point, key)}" for key in main if key in point.values]
        chosen = " ".join(filter(None, [*present, typed_words(point, others)])) or "the only point"
        results = [f"{name} {value}" for name, value in zip(names, values, strict=True)]
        lines += hung(f"{rank:>3}", chosen.split(" "), " ", width)
        lines += hung("   ", results, "   ", width)
    return "\n".join(lines)
