"""A comparison of two runs as text for the terminal."""

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlcourse.report.comparison.differences import Options, Row
from dlcourse.report.comparison.paired_tests import McNemar, PairedErrors
from dlcourse.report.comparison.sides import Side
from dlcourse.report.conclusions import SIGNIFICANCE_LEVEL
from dlcourse.report.formatting import interval, number_text
from dlcourse.runs.labels import shown_labels
from dlcourse.terminal.installed import short_path

if TYPE_CHECKING:
    from dlcourse.engine.same_examples import ClassDifference

MAX_CLASSES = 12  # of more classes, the first and last six are listed
SEEDS_NOTE = (
    "The test is about these two trained models. Whether one set of options is better in general, "
    "several seeds show: dlcourse sweep ... seeds=5"
)


def both_runs(first: Side, second: Side) -> str:
    """Return each run's letter, what it is and its folder, then its note and tags."""
    lines = []
    for one in (first, second):
        lines.append(f"{one.letter}  {described(one)}: {short_path(one.folder)}")
        lines += [f"   {key}: {text}" for key, text in shown_labels(one.config).items()]
    return "\n".join(lines)


def described(side: Side) -> str:
    """Return what a run is, ``lenet on digits, adam``; with the number of its folds."""
    names = side.choices
    model, optim = names.get("model", "model"), names.get("optim", "optimizer")
    folds = f", {len(side.folds)} folds" if side.folds else ""
    return f"{model} on {side.result['data']}, {optim}{folds}"


def options_text(options: Options, width: int) -> str:
    """Return the options that differ: a table of those that both runs have, then the others."""
    if not (options.rows or options.only_a or options.only_b):
        return "A and B have the same options."
    parts = [table_text("option", options.rows, width)] if options.rows else []
    for letter, several in (("A", options.only_a), ("B", options.only_b)):
        if several:
            parts.append(hanging(f"Only {letter} has ", several, width))
    return "\n".join(parts)


def hanging(start: str, parts: Sequence[str], width: int) -> str:
    """Return parts after a start, wrapped with an indent; a part with spaces stays whole."""
    text = " ".join(part.replace(" ", "\0") for part in parts)
    lines = wrap(start + text, width, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines).replace("\0", " ")


def wrapped(text: str, width: int) -> str:
    """Return lines wrapped at a width."""
    lines = [
        wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]
        for line in text.split("\n")
    ]
    return "\n".join(line for several in lines for line in several)


def table_text(name: str, rows: Sequence[Row], width: int) -> str:
    """Return rows as a table with the columns A and B, and B - A if any row has it."""
    differences = any(row.difference for row in rows)
    table = Table(box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False)
    table.add_column(name, overflow="fold")
    justify = "right" if differences else "left"
    for letter in ("A", "B", *(["B - A"] if differences else [])):
        table.add_column(letter, justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row[: 4 if differences else 3]))
    console = Console(width=width, force_jupyter=False, color_system=None)
    with console.capture() as captured:
        console.print(table)
    lines = [line.rstrip() for line in captured.get().split("\n")]
    return "\n".join(lines).strip("\n")


def class_rows(rows: "Sequence[ClassDifference]") -> list[Row]:
    """Return the rows of the table of classes; of many, those with the largest differences."""
    half = MAX_CLASSES // 2
    shown = [*rows[:half], *rows[-half:]] if len(rows) > MAX_CLASSES else rows
    return [
        Row(f"{row.name} ({row.examples:,})", f"{row.a:.4f}", f"{row.b:.4f}",
            f"{row.b - row.a:+.4f}")
        for row in shown
    ]  # fmt: skip


def agreement_text(test: McNemar) -> str:
    """Return the table of right and wrong predictions of both models."""
    cells = [
        ["", "B right", "B wrong"],
        ["A right", f"{test.both:,}", f"{test.only_a:,}"],
        ["A wrong", f"{test.only_b:,}", f"{test.neither:,}"],
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def mcnemar_text(test: McNemar) -> str:
    """Return McNemar's test in words."""
    if not test.discordant:
        return f"A and B are right on the same {test.both:,} of {test.n:,} test examples."
    first, second = ("B", "A") if test.only_b >= test.only_a else ("A", "B")
    more, fewer = max(test.only_a, test.only_b), min(test.only_a, test.only_b)
    how = "exact binomial"
    if test.statistic is not None:
        how = f"chi-squared {test.statistic:.2f} with continuity correction"
    return (
        f"{first} is right on {more:,} test {noun(more)} where {second} is wrong, {second} on "
        f"{fewer:,} where {first} is wrong: {p_text(test.p)}, {verdict_on(test.p, first)} "
        f"(McNemar's test, {how})."
    )


def errors_text(found: PairedErrors) -> str:
    """Return the comparison of the absolute errors of two regressions in words."""
    within = f", 95 % interval {interval(found.difference)}" if found.difference.std else ""
    return (
        f"Mean absolute error: A {number_text(found.mean_a)}, B {number_text(found.mean_b)}; "
        f"B - A is {number_text(found.difference.mean)}{within}. A is closer on "
        f"{found.closer_a:,} of {found.n:,} test examples, B on {found.closer_b:,}: "
        f"{p_text(found.p)}, {verdict_on(found.p, found.better)} (Wilcoxon's signed-rank test)."
    )


def noun(count: int) -> str:
    """Return ``example`` or ``examples``."""
    return "example" if count == 1 else "examples"


def p_text(p: float) -> str:
    """Format a probability, ``p = 0.005`` or ``p < 0.0001``."""
    return "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"


def verdict_on(p: float, better: str) -> str:
    """Return what a p-value says about which of two models is better."""
    if p < SIGNIFICANCE_LEVEL:
        return f"so {better} is better on this test part"
    return "so this test part does not show that one is better"
