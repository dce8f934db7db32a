"""Measure the deviation of every choice from its reference: a paper, a library or a formula.

    python scripts/deviations.py               prints the table
    python scripts/deviations.py --markdown    also writes docs/references.md
    python scripts/deviations.py model loss    only these groups

The rows are in tests/references/, one for each name of the catalogue, and the tests run them as
well. The exit status is 1 if a row is missing, fails or deviates too much. No data are downloaded.
"""

import clone  # noqa: F401  (finds src/)

import os
import platform
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from dlcourse.errors import UserError, nearest
from dlcourse.schema.compose import CONFIGS, compose_job, without_hydra
from dlcourse.terminal.command import one_message

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/references.md"
HEAD = """\
# References and tolerances

Every choice is compared with an independent reference: a library, a paper's formula, or the same
computation written out by hand. For each name this page has the reference, a bound of the largest
difference that was measured, and the difference that a test allows. The comparisons are in
`tests/references/`; a test fails when a name has none. Measured on {date} on the CPU ({machine},
{cores} cores) with PyTorch {version}. `python scripts/deviations.py --markdown` writes this page.
"""


class Measured(NamedTuple):
    """A row of the table. problem: why it is wrong; empty if it is right."""

    group: str
    name: str
    reference: str
    deviation: float | None
    allowed: float | None
    problem: str


def main() -> None:
    """Read the arguments, measure every row, print the table."""
    typed = sys.argv[1:]
    if {"-h", "--help"} & set(typed):
        print((__doc__ or "").strip())
        return
    sys.path.insert(0, str(ROOT / "tests"))  # where the rows are

    from references.groups import GROUPS

    markdown = "--markdown" in typed
    chosen = [name for name in typed if name != "--markdown"]
    for name in chosen:
        if name not in GROUPS:
            raise UserError(f"{name} is not a group of the table; {nearest(name, GROUPS)}")
    if markdown and chosen:
        raise UserError("--markdown writes the whole page.\nLeave the groups out")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for group in chosen or GROUPS for row in measure(group, Path(folder))]
    show(rows)
    wrong = [row for row in rows if row.problem]
    print(f"{len(rows)} rows, {len(wrong)} wrong, {time.perf_counter() - start:.0f} s")
    if markdown:
        PAGE.write_text(page(rows), encoding="utf-8")
        print(f"{PAGE} is written")
    sys.exit(bool(wrong))


def measure(group: str, data_root: Path) -> list[Measured]:
    """Measure a group's rows; a name without a row or a row without a name is a problem."""
    import torch
    from omegaconf import OmegaConf
    from references.groups import expected

    def compose_task(*overrides: str):
        return OmegaConf.create(
            without_hydra(compose_job([f"data.root={data_root}", *overrides], None))
        )

    try:
        table = import_module(f"references.{group}").ROWS
    except ImportError as error:
        return [Measured(group, "", "", None, None, f"tests/references/{group}.py: {error}")]
    names = expected(group, options)
    measured = []
    for name in [*names, *(name for name in table if name not in names)]:
        if name not in table:
            measured.append(Measured(group, name, "", None, None, "has no row"))
            continue
        row = table[name]
        torch.manual_seed(0)  # as in tests/conftest.py
        problem = "" if name in names else "is not a name of the catalogue"
        try:
            deviation = float(row.deviation(compose_task))
        except Exception as error:  # one row must not hide the others
            problem = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            measured.append(Measured(group, name, row.reference, None, row.allowed, problem))
            continue
        if not deviation <= row.allowed:  # also true for NaN
            problem = "is too far off"
        measured.append(Measured(group, name, row.reference, deviation, row.allowed, problem))
    return measured


def options(group: str) -> list[str]:
    """Return the names of a group's configs."""
    return sorted(path.stem for path in (CONFIGS / group).glob("[!_]*.yaml"))


def show(rows: list[Measured]) -> None:
    """Print the rows as a table, with problems in red."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("group", "name", "compared with", "deviation", "allowed", "")
    for row in rows:
        mark = f"[red]{escape(row.problem)}[/red]" if row.problem else "ok"
        cells = (escape(row.reference), number(row.deviation), number(row.allowed), mark)
        table.add_row(row.group, row.name, *cells)
    Console(width=None if sys.stdout.isatty() else 150).print(table)


def number(value: float | None) -> str:
    """Format a deviation with two digits; 0 as ``0``, None as an empty text."""
    return "" if value is None else "0" if value == 0 else f"{value:.1e}"


def bound(row: Measured) -> str:
    """Format an upper bound of a deviation, which is the same on every machine."""
    if not row.allowed or row.deviation is None:
        return "0"
    tenth = row.allowed / 10
    return f"< {number(tenth if row.deviation < tenth else row.allowed)}"


def page(rows: list[Measured]) -> str:
    """Return the table as Markdown, a section for each group."""
    import torch

    lines = [
        HEAD.format(
            date=time.strftime("%Y-%m-%d"),
            machine=platform.machine(),
            cores=os.cpu_count(),
            version=torch.__version__,
        )
    ]
    for group in dict.fromkeys(row.group for row in rows):
        lines += [f"## {group}", "", "| name | compared with | difference | allowed |"]
        lines.append("|---|---|---|---|")
        for row in rows:
            if row.group == group:
                deviation = f"**{row.problem}**" if row.problem else bound(row)
                reference = row.reference.replace("|", "\\|")
                lines.append(f"| {row.name} | {reference} | {deviation} | {number(row.allowed)} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    with one_message():
        main()
