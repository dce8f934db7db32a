"""The ranking as a table on the screen."""

import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlcourse.report.points import Point
from dlcourse.report.rows import header, more, rows

WIDTH = 160  # where there is no terminal


def screen(points: list[Point], keys: list[str]) -> str:
    """Return the table as text, as wide as the terminal."""
    table = Table()
    for name in header(points, keys):
        is_word = name in keys
        table.add_column(
            Text(name), justify="left" if is_word else "right", no_wrap=not is_word, overflow="fold"
        )
    for row in rows(points, keys):
        table.add_row(*map(Text, row))
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(part for part in (captured.get().rstrip("\n"), more(points)) if part)
