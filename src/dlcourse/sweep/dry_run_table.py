"""The table that ``check=true`` prints."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlcourse.sweep.dry_run import Finding
from dlcourse.sweep.job import unescaped
from dlcourse.sweep.plan import Plan

SHOWN_POINTS = 200  # of the table; rich needs 0.3 ms for a row, and nobody reads more


def print_dry_run(plan: Plan, findings: dict[Path, Finding], started: Path | None) -> None:
    """Print a row per point: its values, number of runs, model parameters and finished runs.

    After ``SHOWN_POINTS`` points their number follows. started: the folder of the sweep if it was
    started before.
    """
    spaces = {space.name: space for space in plan.spaces}
    table = Table("point", *plan.keys, "runs", "parameters", "done")
    jobs_in_all = {job.folder for jobs in plan.jobs for job in jobs}
    shown = list(zip(plan.points, plan.jobs, strict=True))[:SHOWN_POINTS]
    for number, (point, jobs) in enumerate(shown):
        values = dict(unescaped(override).split("=", 1) for override in point)
        finished = 0
        if started is not None:
            finished = sum(job.inside(started).result() is not None for job in jobs)
        parameters = findings[jobs[0].folder].parameters
        cells = [values.get(key, values.get(f"+{key}", "")) for key in plan.keys]
        table.add_row(
            str(number),
            *map(Text, cells),
            str(len(jobs)),
            f"{parameters:,}",
            f"{finished}" if started else "",
        )
    console = Console(width=None if sys.stdout.isatty() else 130, highlight=False)
    console.print(table)
    if len(shown) < len(plan.points):
        counts = [one.parameters for one in findings.values()]
        console.print(
            f"... and {len(plan.points) - len(shown):,} more points, of {len(plan.points):,}; "
            f"their models have {min(counts):,} to {max(counts):,} parameters."
        )
    if plan.is_search:
        trials = plan.settings.options["trials"]
        names = ", ".join(spaces)
        console.print(
            f"Corners of the search space of {names}; {trials} trials would be chosen in it."
        )
    else:
        console.print(f"{len(jobs_in_all):,} jobs would run, {plan.settings.workers} at a time.")
    console.print("OK (dry run, nothing was started)")
