"""Refuse symbolic links that lead out of a run's folder: commands would write through them."""

import os
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.terminal.installed import short_path

WANDB_STORE = "wandb"


def refuse_links(folder: Path) -> None:
    """Raise UserError if a file or folder inside a run's or a sweep's folder is a link to outside.

    The folder may come from anybody, and its logs and checkpoints are written into.
    """
    inside = os.path.realpath(folder)
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = os.path.join(place, name)
            if not os.path.islink(path):
                continue
            target = os.path.realpath(path)
            if os.path.commonpath([inside, target]) != inside:
                raise UserError(
                    f"{short_path(Path(path))} is a link to {target}, outside the folder, and "
                    "would be written to.\nIf the folder is yours, put the file itself in the "
                    "place of the link; delete the link if it is not"
                )
        if os.path.basename(place) == WANDB_STORE:
            folders.clear()  # wandb links its own logs there, and makes a new folder each time
