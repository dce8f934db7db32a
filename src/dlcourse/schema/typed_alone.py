"""Read the arguments that are typed without a key: folders of runs, and names of choices."""

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from dlcourse.errors import UserError, likeness, listed_lines, meant
from dlcourse.terminal.command import current_command, own_name

VERY_CLOSE = 0.75  # similarity, of 1: about one letter in four differs


def missing_choice(args: Sequence[str], key: str, choices: Mapping[str, Mapping[str, str]]) -> str:
    """Return the message for arguments without a value for a key: the choices, and an example."""
    right = command_with(args, key, [next(iter(choices[key]))])
    return f"{key}= is missing. Allowed:\n{listed_lines(choices[key], key)}\nType {right}"


def refuse_bare_choices(args: Sequence[str], choices: Mapping[str, Mapping[str, str]]) -> None:
    """Raise UserError for names of ``choices`` that are typed without their key.

    ``look r1 filters`` is answered with ``look r1 what=filters``; a name that is very similar to a
    known one is corrected as well, if the key is not typed.
    """
    for key, names in choices.items():
        least = 1.0 if any(arg.startswith(f"{key}=") for arg in args) else VERY_CLOSE
        found = {arg: names_meant(arg, names, least) for arg in args}
        found = {arg: close for arg, close in found.items() if close}
        if found:
            given = [arg.partition("=")[2] for arg in args if arg.startswith(f"{key}=")]
            close = [name for some in found.values() for name in some]
            others = [arg for arg in args if arg not in found]
            verb = "has" if len(found) == 1 else "have"
            raise UserError(
                f"{' and '.join(found)} {verb} no {key}= in front.\n"
                f"Type {command_with(others, key, [*given, *close])}"
            )


def command_with(args: Sequence[str], key: str, values: Sequence[str]) -> str:
    """Return the running command with its arguments and ``key=values``, without ``run=``."""
    others = [arg.removeprefix("run=") for arg in args if not arg.startswith(f"{key}=")]
    typed = [*others, f"{key}={','.join(dict.fromkeys(values))}"]
    return " ".join([own_name(current_command()), *map(shlex.quote, typed)])


def names_meant(arg: str, names: Iterable[str], least: float = 1.0) -> list[str]:
    """Return the names in ``filters,maps``, corrected; an empty list if one is none of them.

    least: the similarity, 0 to 1, from which an unknown name counts as a known one.
    """
    if "=" in arg or arg.startswith("-"):
        return []
    parts = [part.strip() for part in arg.strip("[]").split(",")]
    close = [[name for name in meant(part, names, 1) if likeness(part, name) >= least]
             for part in parts]  # fmt: skip
    return [name for some in close for name in some] if all(close) else []


def with_run(args: Sequence[str], names: Collection[str] = ()) -> list[str]:
    """Return the arguments with ``run=`` in front of the folder that is typed alone.

    It is the first existing folder, whose name may contain ``=`` as those of a sweep's jobs do;
    without one, the first argument that is neither an option nor one of ``names``.
    """
    if any(arg.startswith("run=") for arg in args):
        return list(args)
    alone, _ = separate_folders(args)
    existing = [arg for arg in alone if Path(arg).is_dir()]
    others = [arg for arg in alone if not names_meant(arg, names)]
    run = next(iter([*existing, *others]), None)
    return [f"run={arg}" if arg == run else arg for arg in args]


def separate_folders(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the folders that a command is given, and its other arguments.

    The name of an existing folder may contain ``=``, as those of a sweep's jobs do.
    """
    folders = [
        arg for arg in args if not arg.startswith("-") and ("=" not in arg or Path(arg).is_dir())
    ]
    return folders, [arg for arg in args if arg not in folders]


def existing_folders(folders: Sequence[str]) -> list[Path]:
    """Return the paths of folders; raises UserError if none is given or one does not exist."""
    command = own_name(current_command())
    if not folders:
        raise UserError(
            f"No folder is given.\nType {command} <folder of a run or a sweep>, or {command} --help"
        )
    for folder in map(Path, folders):
        if not folder.is_dir():
            near = [path.name for path in folder.parent.glob("*") if path.is_dir()]
            guess = [str(folder.with_name(name)) for name in meant(folder.name, near, most=1)]
            problem = f"{folder} is a file" if folder.exists() else f"There is no folder {folder}"
            named = shlex.quote(guess[0]) if guess else "<folder of a run or a sweep>"
            raise UserError(f"{problem}.\nType {command} {named}")
    return [Path(folder) for folder in folders]
