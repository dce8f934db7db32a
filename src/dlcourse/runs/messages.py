"""The lines that a command prints below a run's result; imports no torch."""

import textwrap

from dlcourse.terminal.live_line import cells


def folds_table(result: dict, width: int) -> list[str]:
    """Return a table of a cross-validation's metrics, no wider than ``width`` columns.

    A row for each metric: mean and standard deviation over the folds on their validation examples
    and on the test examples, the value over all validation examples pooled (out-of-fold), and the
    value of the averaged models on the test examples (ensemble).

    For a single split, returns the coefficients of a polynomial of one input; for other models
    nothing.
    """
    folds, mean = len(result.get("folds", [])), result.get("mean", {})
    if not mean:
        return coefficients_line(result, width)
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
