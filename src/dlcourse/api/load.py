"""Open a finished run from its folder."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from dlcourse.api.run import Run
from dlcourse.errors import UserError
from dlcourse.schema import run_files
from dlcourse.terminal.installed import short_path


def load(
    folder: str | PathLike[str], *, trust: str | Iterable[str] = (), device: str | None = None
) -> Run:
    """Return the finished run in a folder, as ``dlcourse.train`` returned it.

    folder: of a run, of a job of a sweep, or of one fold.
    trust: the modules of your own that the run's config calls, ``"my_model"``. A folder may come
        from anybody, so code outside dlcourse and PyTorch runs only if it is named here.
    device: of the model, for example ``"cpu"`` for a run from a machine with a GPU; None for the
        device in the run's config.

    Raises UserError for a folder without a finished run, and for one that cannot be read.
    """
    place = Path(folder)
    if (place / run_files.MANIFEST).exists():
        raise UserError(
            f"{short_path(place)} holds a sweep, which is more than one run.\n"
            f'Type dlcourse.sweep(resume="{short_path(place)}") for its table, or '
            "dlcourse.load with the folder of one of its runs"
        )
    run = Run(place, trust=(trust,) if isinstance(trust, str) else trust, device=device)
    _ = run.config, run.result  # read now, so that a damaged file is reported here
    return run
