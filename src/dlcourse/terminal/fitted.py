"""Fit tables and sentences into the width of the terminal."""

import sys
from collections.abc import Sequence
from itertools import compress
from textwrap import wrap

DEFAULT_WIDTH = 160  # columns, without a terminal
UNBOUNDED = 10_000


def terminal_width() -> int:
    """Return the terminal's width."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else DEFAULT_WIDTH).width


def wrap_to_terminal(text: str) -> str:
    """Return text wrapped at the terminal's width with indented continuation lines."""
    if not sys.stdout.isatty():
        return text
    look = {"subsequent_indent": "  ", "break_long_words": False, "break_on_hyphens": False}
    lines = [wrap(line, terminal_width(), **look) or [""] for line in text.split("\n")]
    return "\n".join(line for some in lines for line in some)


def print_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    left: Sequence[str] = (),
    optional: Sequence[str] = (),
    title: str = "",
) -> None:
    """Print a table that fits the terminal.

    left: columns that are aligned to the left. optional: those that are left out if the terminal is
    too narrow, the least important first; they are named below the table.
    """
    print(fitted_table(head, rows, terminal_width(), left=left, optional=optional, title=title))


def fitted_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    width: int,
    *,
    left: Sequence[str] = (),
    optional: Sequence[str] = (),
    title: str = "",
) -> str:
    """Return a table as text of at most ``width`` columns.

    It has lines around the cells, or only below its head, or lacks optional columns, the first
    ones first; if none of these fits, each row is a few lines of names and values.
    """
    for number in range(-1, len(optional) + 1):
        absent = optional[: max(number, 0)]
        kept = [name not in absent for name in head]
        shown = [[*compress(row, kept)] for row in rows]
        text = drawn_table([*compress(head, kept)], shown, left, title, plain=number >= 0)
        if max(map(len, text.splitlines())) <= width:
            names = ", ".join(column_text(name) for name in head if name in absent)
            return f"{text}\nLeft out on a narrow terminal: {names}" if absent else text
    lines = [title] if title else []
    for first, *cells in rows:
        named = zip(head[1:], cells, strict=True)
        lines.append(first)
        lines += hung(
            "", [f"{column_text(name)} {cell}" for name, cell in named if cell], "   ", width
        )
    return "\n".join(lines)


def drawn_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    left: Sequence[str],
    title: str,
    *,
    plain: bool,
) -> str:
    """Return a table as text, as wide as it needs; plain: without lines around the cells."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(title) if title else None,
        title_justify="left",
        box=box.SIMPLE_HEAD if plain else box.HEAVY_HEAD,
        pad_edge=not plain,
        collapse_padding=plain,
    )
    for name in head:
        table.add_column(Text(name), justify="left" if name in left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(width=UNBOUNDED, force_jupyter=False, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().split("\n")).strip("\n")


def column_text(name: str) -> str:
    """Return the name of a column in one line."""
    return name.replace("\n", " ")


def hung(first: str, parts: Sequence[str], gap: str, width: int) -> list[str]:
    """Return the parts as wrapped lines with a hanging indent after ``first``."""
    room = max(width - len(first) - 2, 20)
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}{gap}{part}" if lines[-1] else part
        if len(longer) <= room:
            lines[-1] = longer
        else:
            lines += wrap(part, room) or [""]
    lines = [line for line in lines if line] or [""]
    return [f"{first if not number else ' ' * len(first)}  {line}"
            for number, line in enumerate(lines)]  # fmt: skip
