"""The ranking as a Markdown table."""

import re

from dlcourse.drawing.text import visible
from dlcourse.report.keys import split_keys
from dlcourse.report.points import Point
from dlcourse.report.rows import OPTIONS, header, more, rows

MARKUP = re.compile(r"[\\`*<>|$~]|\](?=\()|&(?=#?\w+;)|(?<!\w)_|_(?!\w)")
"""What Markdown may read as something else; an underscore within a word is none."""


def markdown(points: list[Point], keys: list[str]) -> str:
    """Return a table whose pipes stand below each other."""
    keys, shared = split_keys(points, keys)
    names = header(points, keys, shared)
    table = [[escaped(cell) for cell in row] for row in (names, *rows(points, keys, shared))]
    widths = [max(3, *map(len, column)) for column in zip(*table, strict=True)]
    is_word = [name in (*keys, OPTIONS) for name in names]
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
    """Return text that a cell shows as it is: no emphasis, no link, no formula."""
    text = visible(" ".join(text.split()))
    return MARKUP.sub(r"\\\g<0>", text)
