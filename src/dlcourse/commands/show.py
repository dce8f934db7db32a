"""Show what can be seen before training: data, learning rates, initial weights, functions.

    dlcourse show data=cifar10 'augment=[crop,flip]'
    dlcourse show what=schedule schedule=cosine schedule.warmup=2

{kinds}

Without what= it shows data. Options that a part does not have itself are those of a run,
--config-dir included. Each part explains its own options:

    dlcourse show what=schedule --help

Writes plots into a new folder below outputs/show/, and prints the path and the numbers.
"""

import shlex
from collections.abc import Sequence
from importlib import import_module

from dlcourse.errors import UserError, meant, nearest
from dlcourse.preview.kinds import KINDS
from dlcourse.schema.arguments import arguments
from dlcourse.schema.command_line import separate_own
from dlcourse.terminal.command import own_name


def main(args: list[str]) -> None:
    """Show the part that ``what=`` names; without it, the data."""
    what, rest = kind_in(args)
    part = import_module(f"dlcourse.preview.{what or 'data'}")
    own, others = separate_own(rest, part.OPTIONS, f"show what={what or 'data'}")
    command = " ".join([own_name("show"), *map(shlex.quote, args)])
    part.show(arguments(own, part.OPTIONS, part.__doc__), others, command)


def help_for(args: Sequence[str]) -> str:
    """Return the help of the part that ``what=`` names; without it, that of the command."""
    what, _ = kind_in(args)
    if what:
        return import_module(f"dlcourse.preview.{what}").__doc__ or ""
    return (__doc__ or "").format(kinds=kinds_listed())


def kind_in(args: Sequence[str]) -> tuple[str, list[str]]:
    """Return the ``what`` of the arguments, or an empty text, and the other arguments.

    Raises UserError for an unknown one, with a list of all.
    """
    rest = [arg for arg in args if not arg.startswith("what=")]
    what = next((arg.partition("=")[2] for arg in args if arg.startswith("what=")), "")
    if what in KINDS or (not what and "what=" not in args):
        return what, rest
    question = nearest(what, KINDS).partition(" Allowed")[0]
    raise UserError(
        f"what={what} is not there{'; ' + question if 'mean' in question else ''}. Allowed:\n"
        f"{kinds_listed()}\nType {own_name('show')} what={(meant(what, KINDS) or ['data'])[0]}"
    )


def kinds_listed() -> str:
    """Return the lines that list every ``what``."""
    width = max(map(len, KINDS))
    return "\n".join(f"  what={name:{width}}  {shown}" for name, shown in KINDS.items())
