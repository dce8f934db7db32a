"""The lines that a command prints below a run's result; imports no torch."""

import re
import textwrap
from collections.abc import Sequence

from dlcourse.drawing.text import shortened, visible
from dlcourse.terminal.live_line import cells

GENERIC = re.compile(r"x\d*")  # the name of an input without a name
MOST_OUTPUTS_SHOWN, MOST_WEIGHTS_SHOWN = 10, 20


def folds_table(result: dict, width: int) -> list[str]:
    """Return a table of a cross-validation's metrics, no wider than ``width`` columns.

    A row for each metric: mean and standard deviation over the folds on their validation examples
    and on the test examples, the value over all validation examples pooled (out-of-fold), and the
    value of the averaged models on the test examples (ensemble).

    For a single split, returns the coefficients of a polynomial of one input or the weights of
    another linear model; for other models nothing.
    """
    folds, mean = len(result.get("folds", [])), result.get("mean", {})
    if not mean:
        return coefficients_line(result, width) or weights_lines(result, width)
    names = list(dict.fromkeys(name.partition("/")[2] for name in mean))

    def spread(split: str) -> list[str]:
        found = {name: f"{split}/{name}" for name in names}
        return [
            f"{mean[key]:.4f} ± {result['std'][key]:.4f}" if key in mean else ""
            for key in found.values()
        ]

    def single(part: str) -> list[str]:
        found = result.get(part, {})
        return [f"{found[name]:.4f}" if name in found else "" for name in names]

    columns = [
        [f"{folds} folds", *names],
        ["val", *spread("val")],
        ["test", *spread("test")],
        ["out-of-fold val", *single("out_of_fold")],
        ["ensemble test", *single("ensemble")],
    ]
    columns = [column for column in columns if any(column[1:])]
    while len(columns) > 2 and sum(max(map(cells, column)) + 2 for column in columns) > width:
        columns.pop()
    if len(columns) > 3:  # columns about the same examples are next to each other
        columns[2:4] = reversed(columns[2:4])
    wide = [max(map(cells, column)) for column in columns]
    return [
        "  ".join(
            [
                row[0].ljust(wide[0]),
                *(cell.rjust(size) for cell, size in zip(row[1:], wide[1:], strict=True)),
            ]
        ).rstrip()
        for row in zip(*columns, strict=True)
    ]


def coefficients_line(result: dict, width: int) -> list[str]:
    """Return the coefficients of a polynomial, for each output: ``coefficients w_0=0.5 ...``."""
    texts = (
        " ".join(f"w_{power}={weight:.6g}" for power, weight in enumerate(row))
        for row in result.get("coefficients", [])
    )
    return [
        line
        for text in texts
        for line in textwrap.wrap(f"coefficients {text}", width, subsequent_indent="  ")
    ]


def weights_lines(result: dict, width: int) -> list[str]:
    """Return the weights of a linear model, and the true ones where they are known.

    ``w = 2.00, -3.00, 0.50; b = 1.00``, a line for each output; weights of named columns have the
    name in front. At most 10 outputs and 20 weights of each are shown.
    """
    found = result.get("weights")
    if not found:
        return []
    given = [name for name in found["terms"] if not GENERIC.fullmatch(name)]
    names = [f"{short(name)} " if given else "" for name in found["terms"]]
    rows = [(short(name), found["w"][n], found["b"][n]) for n, name in enumerate(found["outputs"])]
    texts = [
        (f"{name}: " if len(rows) > 1 else "") + equation(names, w, b)
        for name, w, b in rows[:MOST_OUTPUTS_SHOWN]
    ]
    if len(rows) > MOST_OUTPUTS_SHOWN:
        texts.append(f"... and {len(rows) - MOST_OUTPUTS_SHOWN} more, in result.json")
    if true := found.get("true"):
        texts += [
            f"true: {equation(names, w, b)}" for w, b in zip(true["w"], true["b"], strict=True)
        ]
    return [line for text in texts for line in textwrap.wrap(text, width, subsequent_indent="  ")]


def short(name: str) -> str:
    """Return a name for the screen: no line breaks, and at most 24 characters."""
    return shortened(visible(name))


def equation(names: Sequence[str], w: Sequence[float], b: float) -> str:
    """Return ``w = 2.00, -3.00, 0.50; b = 1.00``; names: in front of each weight, perhaps empty."""
    parts = [f"{name}{weight_text(one)}" for name, one in zip(names, w, strict=True)]
    shown = parts[:MOST_WEIGHTS_SHOWN]
    if len(parts) > len(shown):
        shown.append(f"... ({len(parts)} weights)")
    return f"w = {', '.join(shown)}; b = {weight_text(b)}"


def weight_text(value: float | None) -> str:
    """Return a weight with two decimals, or three digits if it is tiny or huge."""
    if value is None:
        return "nan"
    return f"{value:.2f}" if value == 0 or 0.1 <= abs(value) < 1000 else f"{value:.3g}"
