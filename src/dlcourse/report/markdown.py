"""The ranking as a Markdown table."""

from dlcourse.report.points import Point
from dlcourse.report.rows import header, more, rows


def markdown(points: list[Point], keys: list[str]) -> str:
    """Return a table whose pipes stand below each other."""
    names = header(points, keys)
    table = [[escaped(cell) for cell in row] for row in (names, *rows(points, keys))]
    widths = [max(3, *map(len, column)) for column in zip(*table, strict=True)]
    is_word = [name in keys for name in names]
    rule = [
        "-" * width if word else "-" * (width - 1) + ":"
        for width, word in zip(widths, is_word, strict=True)
    ]
    lines = [
        "| " + " | ".join(
            cell.ljust(width) if word else cell.rjust(width)
            for cell, width, word in zip(row, widths, is_word, strict=True)
        ) + " |"
        for row in (table[0], rule, *table[1:])
    ]  # fmt: skip
    return "\n".join([*lines, *(["", more(points)] if more(points) else [])]) + "\n"


def escaped(text: str) -> str:
    """Return text that a cell can hold."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())
