"""Refuse commands that were started as several copies which do not know of each other."""

import sys
from collections.abc import Mapping

from dlcourse.errors import UserError
from dlcourse.terminal.command import own_name

STARTERS = {
    "torchrun": ("WORLD_SIZE", "RANK"),
    "mpirun": ("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    "mpiexec": ("PMI_SIZE", "PMI_RANK"),
    "srun": ("SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
}
"""Programs that start several copies, with two environment variables of each copy: the number of
copies and its own rank. Slurm sets them for processes started by srun, not for the job's script."""


def refuse_copies(environment: Mapping[str, str]) -> None:
    """Raise UserError in the first of several copies of this command; end the others with status 2.

    Each copy would carry out the same run.
    """
    for starter, (size, rank) in STARTERS.items():
        if not (environment.get(size, "").isdecimal() and environment.get(rank, "").isdecimal()):
            continue
        copies = int(environment[size])
        if copies > 1 and int(environment[rank]) > 0:
            sys.exit(2)
        if copies > 1:
            raise UserError(
                f"{starter} has started {copies} copies of this command ({size}={copies}), and "
                "they do not know of each other: each would carry out the same run.\n"
                f"Type {own_name()} without {starter}, or start 1 copy; runtime.devices={copies} "
                "starts processes that train one run together, and so does torchrun; in a sweep "
                "(-m), workers=2 runs two jobs at a time"
            )
