"""Make a folder for a project of your own: model, data, configs, a test, and a README.

    dlcourse new <name>

It trains at once: the README in it has the commands. The name is that of the folder and of the
Python package in it, so it consists of letters, digits and underscores.
"""

import builtins
import keyword
import os
import re
import sys
from importlib.machinery import PathFinder
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.terminal.command import own_name
from dlcourse.terminal.installed import short_path

PROJECT_TEMPLATE = "project_template"
TEMPLATE_ENDING = ".template"  # so that no tool takes a template for a module or a test of dlcourse
PLACEHOLDER = "NAME"
TEMPLATE_NAMES = {"gitignore": ".gitignore", "of_data": "data"}
"""Names of templates that Git or the build of a wheel would treat in another way as they are."""
OWN_FOLDERS = ("configs", "tests", "outputs", "data")
FIRST_COMMANDS = """\
cd {folder}
{train} --config-dir configs experiment=first
{runs}"""


def main(args: list[str]) -> None:
    """Write the project and print its files and the first commands."""
    if len(args) != 1 or args[0].startswith("-") or "=" in args[0]:
        raise UserError(
            f"One name is needed, got {' '.join(args) or 'none'}.\n"
            f"Type {own_name('new')} my_project"
        )
    folder = Path(args[0])
    refuse_name(folder)
    written = write_project(folder)
    print(f"{short_path(folder)} is made:")
    print("\n".join(f"  {path.relative_to(folder).as_posix()}" for path in written))
    first = FIRST_COMMANDS.format(
        folder=short_path(folder), train=own_name("train"), runs=own_name("runs")
    )
    print(f"Type\n  {first.replace(chr(10), chr(10) + '  ')}")


def refuse_name(folder: Path) -> None:
    """Raise UserError for a folder that holds something, and for a name that cannot be used."""
    name = folder.name
    valid = re.sub(r"\W+", "_", name).strip("_").lower() or "my_project"
    valid = f"project_{valid}" if not valid.isidentifier() or is_taken(valid) else valid
    again = f"Type {own_name('new')} {folder.with_name(valid) if name else valid}"
    if not name.isidentifier():
        raise UserError(
            f"{name or folder} cannot be the name of a Python package: it takes letters, digits "
            f"and underscores, and no digit first.\n{again}"
        )
    if is_taken(name):
        raise UserError(
            f"{name} is the name of something that Python or this project has already, and its "
            f"import would find that.\n{again}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "is not empty" if folder.is_dir() else "is a file"
        raise UserError(f"{folder} {what}; nothing is written into it.\nType another name")


def is_taken(name: str) -> bool:
    """Return whether a name is a keyword, a built-in, a module that is installed, or a folder here.

    The current folder is not searched: an empty folder of this name may be there.
    """
    here = {"", os.getcwd()}
    installed = PathFinder.find_spec(name, [path for path in sys.path if path not in here])
    reserved = keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name)
    return reserved or name in sys.stdlib_module_names or name in OWN_FOLDERS or bool(installed)


def write_project(folder: Path) -> list[Path]:
    """Write the files of the template into a folder; return them."""
    found = list(template_files(files("dlcourse.commands") / PROJECT_TEMPLATE, Path()))
    written = []
    for path, text in sorted(found):
        renamed = TEMPLATE_NAMES | {"package": folder.name}
        file = folder.joinpath(*(renamed.get(part, part) for part in path.parts))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder} cannot be made: {error.strerror}.\nType another") from error
        atomic_files.write_text(file, text.replace(PLACEHOLDER, folder.name))
        written.append(file)
    return written


def template_files(top: Traversable, below: Path) -> list[tuple[Path, str]]:
    """Return the paths and the texts of all templates, without the ending of their names."""
    found = []
    for entry in top.iterdir():
        if entry.is_dir():
            found += template_files(entry, below / entry.name)
        elif entry.name.endswith(TEMPLATE_ENDING):
            path = below / entry.name.removesuffix(TEMPLATE_ENDING)
            found.append((path, entry.read_text(encoding="utf-8")))
    return found
