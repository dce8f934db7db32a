"""Runs that have no result, and why."""

from dlcourse.report.run import FAILED, NOT_STARTED, PRUNED, UNFINISHED, Run
from dlcourse.runs.run_folder import shown

LISTED = 10
"""So many of those without a reason are named; failed ones are all named."""


def left_out(runs: list[Run]) -> str:
    """Say which runs failed and why, and which are pruned, not finished or not started."""
    once = list({run.folder: run for run in runs}.values())
    lines = [f"failed: {shown(run.folder)}: {run.reason}" for run in once if run.status == FAILED]
    for status in (PRUNED, UNFINISHED, NOT_STARTED):
        some = [run for run in once if run.status == status]
        lines += [
            f"{status}: {shown(run.folder)}{f' {run.reason}' if run.reason else ''}"
            for run in some[:LISTED]
        ]
        if len(some) > LISTED:
            lines.append(f"{status}: {len(some) - LISTED} more, {len(some)} in all")
    return "\n".join(lines)
