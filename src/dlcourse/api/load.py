"""Open a finished run, or an exported model, from its folder."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path

from dlcourse.api.exported import ExportedModel
from dlcourse.api.run import Run
from dlcourse.errors import UserError
from dlcourse.export.formats import is_export
from dlcourse.schema import run_files
from dlcourse.terminal.installed import short_path


def load(
    folder: str | PathLike[str], *, trust: str | Iterable[str] = (), device: str | None = None
) -> Run | ExportedModel:
    """Return the finished run in a folder, as ``dlcourse.train`` returned it, or an exported model.

    folder: of a run, of a job of a sweep, of one fold, or one that ``dlcourse export`` has written.
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
    named = (trust,) if isinstance(trust, str) else tuple(trust)
    if is_export(place):
        refuse_device(place, device)
        exported = ExportedModel(place, trust=named)
        _ = exported.facts  # read now, as below
        return exported
    run = Run(place, trust=named, device=device)
    _ = run.config, run.result  # read now, so that a damaged file is reported here
    return run


def refuse_device(place: Path, device: str | None) -> None:
    """Raise UserError for a device that an exported model cannot use."""
    if device not in (None, "cpu"):
        raise UserError(
            f"{short_path(place)} is an exported model, which predicts on the CPU, got "
            f"device={device}.\nLeave device out, or load the run that it is from"
        )
