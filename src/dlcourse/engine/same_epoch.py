"""Let folds that are trained together resume after the same epoch."""

import os
from collections.abc import Sequence
from pathlib import Path

from dlcourse import atomic_files
from dlcourse.schema.run_files import LAST_CHECKPOINT, PREVIOUS_CHECKPOINT
from dlcourse.train.checkpoint import has_checkpoint, history_in, read_last


def to_same_epoch(folders: Sequence[Path]) -> None:
    """Take folds that are one epoch ahead of others back to their previous checkpoints.

    A run that is killed while the checkpoints of an epoch are written has both. Folds at different
    epochs would take their steps in other groups than before, and sums would be rounded in another
    order: taken back, the folds end with the same weights to the last bit.

    Folds are left as they are if one stopped within an epoch, or has no such previous checkpoint.

    folders: those of the unfinished folds.
    """
    done = {folder: epochs_done(folder) for folder in folders}
    least = min((epochs for epochs in done.values() if epochs is not None), default=0)
    ahead = [folder for folder, epochs in done.items() if epochs != least]
    if any(done[folder] != least + 1 or not has_previous(folder, least) for folder in ahead):
        return
    for folder in ahead:
        if least:
            os.replace(folder / PREVIOUS_CHECKPOINT, folder / LAST_CHECKPOINT)
        else:
            (folder / LAST_CHECKPOINT).unlink()
        atomic_files.flush_folder((folder / LAST_CHECKPOINT).parent)


def epochs_done(folder: Path) -> int | None:
    """Return the number of epochs in a fold's last checkpoint; None if it is within an epoch."""
    if not has_checkpoint(folder):
        return 0
    content = read_last(folder, lazily=True)
    return len(history_in(content)) if content.get("midway") is None else None


def has_previous(folder: Path, epochs: int) -> bool:
    """Return whether a fold can be taken back to a number of epochs."""
    path = folder / PREVIOUS_CHECKPOINT
    if not path.exists():
        return epochs == 0
    try:
        content = atomic_files.load_checked(path)
    except atomic_files.DamagedFileError:
        return False
    return len(history_in(content)) == epochs and content.get("midway") is None
