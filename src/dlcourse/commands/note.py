"""Show or change the note and the tags of a run.

    dlcourse note <folder of a run> ["<text>"] [tags=[<tag>,<tag>]]

With the folder alone it prints both. A text replaces the note, tags= the tags; note= and tags=
alone remove them. Nothing else of the run changes. For the folder of a sweep, all of its jobs that
have started are changed.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.runs import start_record
from dlcourse.runs.labels import change_labels, shown_labels
from dlcourse.schema.arguments import corrected
from dlcourse.schema.command_line import in_grammar, values_of_labels
from dlcourse.schema.overrides import LABELS, key_of, quoted
from dlcourse.schema.run_files import CONFIG, MANIFEST
from dlcourse.schema.typed_alone import existing_folders
from dlcourse.terminal.command import own_name
from dlcourse.terminal.installed import short_path


def main(args: list[str]) -> None:
    """Change the labels that are typed, and print those that each run has then."""
    folder, overrides = read_arguments(args)
    values = values_of_labels(overrides)
    for run in runs_in(folder):
        config = start_record.stored_config(run)
        change_labels(run, config | values)
        labels = shown_labels(config | values)
        print(short_path(run))
        print("\n".join(f"  {key}: {text}" for key, text in labels.items()) or "  no note, no tags")


def read_arguments(args: Sequence[str]) -> tuple[Path, list[str]]:
    """Return the folder and the overrides of the labels; raises UserError for anything else."""
    args = corrected(args, LABELS) if any(arg.startswith("--") for arg in args) else args
    labels = [arg for arg in args if key_of(arg) in LABELS and "=" in arg]
    others = [arg for arg in args if arg not in labels]
    folders = [arg for arg in others if os.path.isdir(arg)][:1] or others[:1]
    (folder,) = existing_folders(folders)
    texts = [arg for arg in others if arg != folders[0]]
    if len(texts) > 1:
        raise UserError(
            f"The note is more than one argument: {', '.join(texts)}.\n"
            f'Type {own_name("note")} {folders[0]} "{" ".join(texts)}"'
        )
    return folder, in_grammar([*(f"note={quoted(text)}" for text in texts), *labels], None)


def runs_in(folder: Path) -> list[Path]:
    """Return the folder of a run itself, or those of a sweep's jobs that have started."""
    jobs = [path.parents[1] for path in sorted(folder.glob(f"*/{CONFIG}"))]
    return jobs if (folder / MANIFEST).exists() and jobs else [folder]
