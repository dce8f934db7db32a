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

from dlcourse.errors import UserError, listed_lines, meant, not_there
from dlcourse.preview.kinds import KINDS
from dlcourse.schema.arguments import arguments
from dlcourse.schema.command_line import separate_own
from dlcourse.schema.typed_alone import missing_choice, refuse_bare_choices
from dlcourse.terminal.command import own_name


def main(args: list[str]) -> None:
    """Show the part that ``what=`` names; without it, the data."""
    what, _ = kind_in(args)
    part = import_module(f"dlcourse.preview.{what or 'data'}")
    if "what" in args:
        others = [arg for arg in args if arg != "what"]
        raise UserError(missing_choice(others, "what", {"what": KINDS}))
    refuse_bare_choices(args, {"what": KINDS})
    refuse_unlike_what(args)
    own, others = separate_own(args, ("what", *part.OPTIONS), f"show what={what or 'data'}")
    own = [arg for arg in own if not arg.startswith("what=")]
    command = " ".join([own_name("show"), *map(shlex.quote, args)])
    part.show(arguments(own, part.OPTIONS, part.__doc__), others, command)


def refuse_unlike_what(args: Sequence[str]) -> None:
    """Raise UserError for a key that is similar to ``what`` and has one of its values."""
    for arg in args:
        key, _, value = arg.partition("=")
        if value in KINDS and key != "what" and meant(key, ["what"]):
            raise UserError(f"{arg} is not understood.\nType {own_name('show')} what={value}")


def help_for(args: Sequence[str]) -> str:
    """Return the help of the part that ``what=`` names; without it, that of the command."""
    what, _ = kind_in(args)
    if what:
        return import_module(f"dlcourse.preview.{what}").__doc__ or ""
    return (__doc__ or "").format(kinds=listed_lines(KINDS, "what"))


def kind_in(args: Sequence[str]) -> tuple[str, list[str]]:
    """Return the ``what`` of the arguments, or an empty text, and the other arguments.

    Raises UserError for an unknown one, with a list of all.
    """
    rest = [arg for arg in args if not arg.startswith("what=")]
    named = [arg.partition("=")[2] for arg in args if arg.startswith("what=")]
    if len(set(named)) > 1:
        raise UserError(
            f"{len(named)} values of what= are typed, and one is shown at a time.\n"
            f"Type {own_name('show')} what={named[0]}"
        )
    what = "".join(named[:1])
    if what in KINDS or not named:
        return what, rest
    raise UserError(
        f"{not_there(f'what={what}', what, KINDS, 'what')}\n"
        f"Type {own_name('show')} what={(meant(what, KINDS) or ['data'])[0]}"
    )
