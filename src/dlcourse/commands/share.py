"""Copy a run or a sweep without what it says about your machine, to hand it out.

    dlcourse share <folder> [to=<folder or .zip>] [predictions=false] [labels=false]

Copies the config, results, history, log, plots, weights and predictions. Absolute paths, the names
of the user and of the host, passwords, trackers' stores, locks and temporary files stay out. Then
every byte of the copy is searched for the home folder, the names and the values of all environment
variables; what is still found is listed. to= is by default <folder>-shared; an existing folder or
file is never overwritten. predictions=false leaves out the predictions, which hold the targets of
the data; labels=false leaves out the note and the tags.

The copy can be evaluated, compared, reported and resumed; type data.root=<folder> where the data
are read.
"""

from collections.abc import Sequence
from pathlib import Path

from dlcourse.engine.share import Shared, share_folder
from dlcourse.errors import UserError, nearest
from dlcourse.schema.typed_alone import existing_folders, separate_folders
from dlcourse.terminal.command import own_name
from dlcourse.terminal.installed import short_path

OPTIONS = {"to": "", "predictions": "true", "labels": "true"}
LINES_SHOWN = 10


def main(args: list[str]) -> None:
    """Copy the folder and print what was copied, what was not, and what it still reveals."""
    folder, options = share_arguments(args)
    to = Path(options["to"] or f"{folder.absolute()}-shared")
    done = share_folder(
        folder,
        to,
        predictions=options["predictions"] == "true",
        labels=options["labels"] == "true",
    )
    print("\n".join(lines_of(done, folder, to)))


def share_arguments(args: Sequence[str]) -> tuple[Path, dict[str, str]]:
    """Return the folder and the options; raises UserError for wrong ones."""
    folders, others = separate_folders([arg.removeprefix("run=") for arg in args])
    paths = existing_folders(folders)
    if len(paths) > 1:
        raise UserError(f"One folder is shared at a time.\nType {own_name('share')} {folders[0]}")
    options = dict(OPTIONS)
    for arg in others:
        key, _, value = arg.partition("=")
        if key not in OPTIONS:
            raise UserError(
                f"{arg} is not understood; {nearest(key, OPTIONS)}.\n"
                f"Type {own_name('share')} --help for what each one does"
            )
        if key != "to" and value.lower() not in ("true", "false"):
            raise UserError(f"{arg} is not allowed: {key} takes true or false.\nType {key}=false")
        options[key] = value if key == "to" else value.lower()
    return paths[0], options


def lines_of(done: Shared, folder: Path, to: Path) -> list[str]:
    """Return the lines on what was copied, what was left out, and what is still revealed."""
    lines = [f"{len(done.copied)} files of {short_path(folder)} are in {short_path(to)}"]
    if done.left_out:
        lines.append("Left out:")
        lines += lines_with(done.left_out)
    lines.append(
        "The copy tells: options, results, dates and times, versions, the device's name, the "
        "number of examples of each class, and all text in names of classes, notes and plots"
    )
    if done.reveals:
        lines.append("Still found in it, look before you hand it out:")
        lines += lines_with({name: ", ".join(found) for name, found in done.reveals.items()})
    else:
        lines.append(
            "Searched for the home folder, names of user and host, and the values of all "
            "environment variables: none is in it"
        )
    return lines


def lines_with(entries: dict[str, str]) -> list[str]:
    """Return a line for each entry, and how many more there are."""
    lines = [f"  {name}: {text}" for name, text in entries.items()]
    more = len(lines) - LINES_SHOWN
    return lines[:LINES_SHOWN] + ([f"  and {more} more"] if more > 0 else [])
