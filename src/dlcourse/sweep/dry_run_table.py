"""The table that ``check=true`` prints."""

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dlcourse.sweep.dry_run import Finding
from dlcourse.sweep.job import unescaped
from dlcourse.sweep.plan import Plan


def print_dry_run(plan: Plan, findings: dict[Path, Finding], started: Path | None) -> None:
    """Print a row per point: its values, number of runs, model parameters and finished runs.

    started: the folder of the sweep if it was started before.
    """
    spaces = {space.name: space for space in plan.spaces}
    table = Table("point", *plan.keys, "runs", "parameters", "done")
    jobs_in_all = set()
    for number, (point, jobs) in enumerate(zip(plan.points, plan.jobs, strict=True)):
        values = dict(unescaped(override).split("=", 1) for override in point)
        finished = 0
        if started is not None:
            finished = sum(job.inside(started).result() is not None for job in jobs)
        jobs_in_all |= {job.folder for job in jobs}
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
    if plan.is_search:
        trials = plan.settings.options["trials"]
        names = ", ".join(spaces)
        console.print(
            f"Corners of the search space of {names}; {trials} trials would be chosen in it."
        )
    else:
        console.print(f"{len(jobs_in_all)} jobs would run, {plan.settings.workers} at a time.")
    console.print("OK (dry run, nothing was started)")
