"""List the choices of every group and their options.

    dlcourse catalogue                list the choices of all groups
    dlcourse catalogue optim          describe the choices of a group
    dlcourse catalogue model=lenet    describe one choice
    dlcourse catalogue --config-dir my_configs model

An option is printed with its default value; <key> is the value of another option.
"""

import textwrap
from pathlib import Path

from dlcourse.errors import UserError, nearest
from dlcourse.schema import catalogue
from dlcourse.schema.catalogue import CONFIGS, Choice

TEXT_WIDTH = 100


def main(args: list[str]) -> None:
    """Print all groups, one group or one choice."""
    named, config_dir = parse_arguments(args)
    folders = [CONFIGS, *([config_dir] if config_dir else [])]
    if not named:
        print(catalogue.list_groups(folders))
    for text in named:
        group, _, name = text.partition("=")
        known = group in catalogue.ORDER
        files = catalogue.files_of(group, folders, lectures=bool(name)) if known else {}
        if not files:
            raise UserError(f"{group} is not a group; {nearest(group, catalogue.ORDER)}")
        if name and name not in files:
            raise UserError(f"{text} is not a choice; {nearest(name, files)}")
        if not name:
            print(f"{group}: {catalogue.contract(group)}")
        for one in [name] if name else files:
            choice = catalogue.read_choice(files[one])._replace(name=one)
            print(("" if name else "\n") + choice_text(group, choice))


def parse_arguments(args: list[str]) -> tuple[list[str], Path | None]:
    """Return the groups and choices, and the folder of ``--config-dir``; None without it.

    Raises UserError for a folder that does not exist and for any other flag.
    """
    rest, folder = list(args), None
    if "--config-dir" in rest:
        place = rest.index("--config-dir")
        _, *given = rest[place : place + 2]
        folder = Path(*given)
        del rest[place : place + 2]
        if not given or not folder.is_dir():
            raise UserError(f"--config-dir {folder} is not a folder.\nType --config-dir <folder>")
    wrong = [arg for arg in rest if arg.startswith("-")]
    if wrong:
        raise UserError(f"{wrong[0]} is not understood.\nType <group> or <group>=<choice>")
    return rest, folder


def choice_text(group: str, choice: Choice) -> str:
    """Return the description of a choice: its paper, its options, and the groups that it sets."""
    paper = f" ({choice.paper})" if choice.paper else ""
    lines = textwrap.wrap(f"{group}={choice.name}: {choice.what}{paper}", TEXT_WIDTH)
    options = [
        f"{group}.{key}={catalogue.typed_value(value)}" for key, value in choice.options.items()
    ]
    if options and group not in ("experiment", "debug", "sweep"):
        lines += [f"  {option}" for option in options]
    if choice.sets:
        lines += textwrap.wrap(
            f"sets {' '.join(choice.sets)}",
            TEXT_WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
        )
    return "\n".join(lines)
