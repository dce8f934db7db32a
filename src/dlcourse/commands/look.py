"""Look into a finished run: filters, feature maps, attention, what a class looks like.

    dlcourse look <run> what=filters,maps [layer=<name>] [images=<files>] [class=<name>]

{whats}

what=all draws everything that the model has, and names what it does not have, with the reason. Each
explains its own options:

    dlcourse look what=maps --help

Writes images into the run's folder below look/, shows them in TensorBoard under the run, and prints
each file with one line on what is seen. The run's other files are not changed.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.look.registry import ALL, WHATS, NotApplicableError, chosen_whats, whats_listed
from dlcourse.look.request import COMMON, read_request
from dlcourse.schema.arguments import arguments
from dlcourse.schema.typed_alone import with_run
from dlcourse.terminal.command import own_name
from dlcourse.terminal.installed import short_path
from dlcourse.terminal.live_line import working

OWN = {"run": None, "what": None, "fold": "", "data.root": "", "trust": ""}


def main(args: list[str]) -> None:
    """Open the run, draw everything that ``what`` names, and write it."""
    names = {name for what in WHATS.values() for name in what.options}
    lines = {name: what.line for name, what in WHATS.items()}
    typed = arguments(
        with_run(args, WHATS), {**OWN, **dict.fromkeys(names, "")}, help_for(()), {"what": lines}
    )
    run, what = Path(typed.pop("run")), typed.pop("what")
    request = read_request(run, what, {key: value for key, value in typed.items() if value})

    with working("importing PyTorch", plain=False):
        from dlcourse.drawing.text import fonts_for
        from dlcourse.look.files import write_drawing
        from dlcourse.look.subject import drawings, open_subject

    subject = open_subject(request)
    everything = what.strip(" []") == ALL
    epoch = int(request.result["best_epoch"])
    drawn = False
    for one in chosen_whats(what):
        try:
            with working(f"drawing {one}"), fonts_for(subject.classes):
                for drawing in drawings(subject, one, request.options[one]):
                    files = write_drawing(request.folder, one, drawing, request.typed, epoch)
                    print(f"{' '.join(map(short_path, files))}\n  {drawing.seen}", flush=True)
                    drawn = True
        except UserError as error:
            if everything:
                print(f"not drawn: {not_drawn(one, error)}")
            elif isinstance(error, NotApplicableError):
                raise UserError(
                    f"{error}.\nType {own_name('look')} {shlex.quote(str(run))} what=all, "
                    "for everything that this run has"
                ) from error
            else:
                raise
    if not drawn:
        raise UserError(
            f"Nothing of what={what} can be drawn with these options.\nType what=all alone"
        )


def not_drawn(what: str, error: UserError) -> str:
    """Return the first line of the reason why something is not drawn, with its name."""
    reason = str(error).splitlines()[0]
    return reason if f"what={what}" in reason else f"what={what}: {reason}"


def help_for(args: Sequence[str]) -> str:
    """Return the help of the command, or that of each ``what`` that the arguments name."""
    typed = [arg.partition("=")[2] for arg in args if arg.startswith("what=")]
    if not typed or typed[-1] == ALL:
        return (__doc__ or "").format(whats=whats_listed())
    return "\n\n".join(map(help_of, chosen_whats(typed[-1])))


def help_of(what: str) -> str:
    """Return what is drawn, and the options with their defaults."""
    options = {**WHATS[what].options, **COMMON}
    shown = {
        name: f"{name}={option.default}" if option.default not in (None, "", ()) else f"{name}="
        for name, option in options.items()
    }
    width = max(map(len, shown.values()))
    lines = [f"  {shown[name]:{width}}  {option.meaning}" for name, option in options.items()]
    title = f"Draw {WHATS[what].line}.\n\n    dlcourse look <run> what={what} [<option>=<value>]"
    return "\n".join([title, "", *lines])
