"""The tables as files: CSV, Markdown and LaTeX."""

import csv
import io
import math
import os
import re
from itertools import compress
from pathlib import Path
from typing import Any

from dlcourse.drawing.text import visible
from dlcourse.report.formatting import option_text
from dlcourse.report.points import Point, column_keys, split_keys
from dlcourse.report.ranking import by_measure, rank_by_data, ranks_of
from dlcourse.report.table_rows import (
    LABEL_COLUMNS,
    OPTIONS_COLUMN,
    column_names,
    label_text,
    labels_in,
    mean_epochs,
    omitted_text,
    ranking_rows,
    total_seconds,
)


def csv_text(points: list[Point], folder: Path) -> str:
    """Return all points as CSV, ranked ones first; paths are relative to ``folder``."""
    keys = column_keys(points)
    lines = [line for part in by_measure(points) for line in ranked_rows(part, keys, folder)]
    lines += [csv_row(point, keys, folder, None) for point in points if not point.repeats]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, lines[0])
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def ranked_rows(points: list[Point], keys: list[str], folder: Path) -> list[dict[str, Any]]:
    """Return the rows of points with the same measure that have a finished run."""
    ranked = rank_by_data(points)
    return [
        csv_row(point, keys, folder, place)
        for point, place in zip(ranked, ranks_of(ranked), strict=True)
    ]


def csv_row(point: Point, keys: list[str], folder: Path, place: int | None) -> dict[str, Any]:
    """Return a point's row; missing values are empty."""
    val, test = point.val if point.repeats else None, point.test
    parameters = [run.result.get("parameters") for run in point.runs if run.result]
    return {
        "rank": csv_value(place),
        "status": status_text(point),
        **{key: option_text(point, key) for key in keys},
        "monitor": point.monitor,
        "n": len(point.repeats),
        "mean": csv_value(val and val.mean),
        "std": csv_value(val and val.std),
        "low": csv_value(val and val.low),
        "high": csv_value(val and val.high),
        "test_mean": csv_value(test and test.mean),
        "test_std": csv_value(test and test.std),
        "epochs": csv_value(mean_epochs(point) if val else None),
        "seconds": csv_value(total_seconds(point) if val else None),
        "parameters": csv_value(parameters[0] if parameters else None),
        "folder": "; ".join(os.path.relpath(run.folder, folder) for run in point.runs),
        **{key: label_text(point, key) for key in LABEL_COLUMNS},
        "reason": "; ".join(run.reason for run in point.runs if run.reason),
    }


def status_text(point: Point) -> str:
    """Return ``done``, ``2 of 3`` for missing runs, or the states of runs without a result."""
    if point.complete:
        return "done"
    if point.done:
        return f"{point.done} of {len(point.runs)}"
    return ", ".join(dict.fromkeys(run.status for run in point.runs))


def csv_value(value: float | None) -> float | str:
    """Return a number for the file; an empty text for None and NaN."""
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else value


MARKUP = re.compile(r"[\\`*<>|$~]|\](?=\()|&(?=#?\w+;)|(?<!\w)_|_(?!\w)")
"""Characters that Markdown may interpret; not underscores within a word."""


def markdown_table(points: list[Point], keys: list[str]) -> str:
    """Return a Markdown table with aligned pipes."""
    keys, shared = split_keys(points, keys)
    names = column_names(points, keys, shared)
    table = [
        [markdown_text(cell) for cell in row]
        for row in (names, *ranking_rows(points, keys, shared))
    ]
    widths = [max(3, *map(len, column)) for column in zip(*table, strict=True)]
    is_text = [name in (*keys, OPTIONS_COLUMN, *labels_in(points)) for name in names]
    rule = [
        "-" * width if text else "-" * (width - 1) + ":"
        for width, text in zip(widths, is_text, strict=True)
    ]
    lines = [
        "| " + " | ".join(
            cell.ljust(width) if text else cell.rjust(width)
            for cell, width, text in zip(row, widths, is_text, strict=True)
        ) + " |"
        for row in (table[0], rule, *table[1:])
    ]  # fmt: skip
    return "\n".join([*lines, *(["", omitted_text(points)] if omitted_text(points) else [])]) + "\n"


def markdown_text(text: str) -> str:
    """Return text escaped for a Markdown cell."""
    text = visible(" ".join(text.split()))
    return MARKUP.sub(r"\\\g<0>", text)


SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "±": r"$\pm$", "–": r"\textendash{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "[": "{[}", "]": "{]}",
}  # fmt: skip


def latex_table(points: list[Point], keys: list[str]) -> str:
    """Return a ``tabular`` with booktabs rules; the best row of every data set is bold.

    Notes and tags are left out.
    """
    keys, shared = split_keys(points, keys)
    every = column_names(points, keys, shared)
    shown = [name in keys or name not in labels_in(points) for name in every]
    names = [*compress(every, shown)]
    columns = "".join("l" if name in (*keys, OPTIONS_COLUMN) else "r" for name in names)
    rows = ranking_rows(points, keys, shared)
    cells = [[latex_text(cell) for cell in compress(row, shown)] for row in rows]
    lines = [
        r"% \usepackage{booktabs}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        latex_row([latex_text(name) for name in names]),
        r"\midrule",
        *(latex_row(bold(row) if row[0] == "1" else row) for row in cells),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return (
        "\n".join([*lines, *([f"% {omitted_text(points)}"] if omitted_text(points) else [])]) + "\n"
    )


def bold(cells: list[str]) -> list[str]:
    """Return the cells in bold."""
    return [rf"\textbf{{{cell}}}" if cell else "" for cell in cells]


def latex_row(cells: list[str]) -> str:
    """Return the cells as a row."""
    return " & ".join(cells) + r" \\"


def latex_text(text: str) -> str:
    """Return text escaped for LaTeX."""
    letters = visible(" ".join(text.split()))
    return "".join(SPECIAL.get(letter, letter) for letter in letters).replace("--", "-{}-")
