"""Write what was drawn before training into a new folder."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.errors import UserError
from dlcourse.runs.run_folder import claim
from dlcourse.terminal.command import own_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_FOLDER = Path("outputs/show")


def new_folder(name: str, parent: Path = SHOWN_FOLDER) -> Path:
    """Make a new folder below ``parent`` whose name is the time and a name; return its path."""
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    return claim(parent / f"{now}-{name}"[:200])


def refuse_run_options(what: str, rest: Sequence[str], own: Collection[str]) -> None:
    """Raise UserError for options of a run, if a part of ``dlcourse show`` takes none."""
    if rest:
        raise UserError(
            f"{rest[0]} is not for what={what}, which needs no run; its options are "
            f"{', '.join(own)}.\nType {own_name('show')} what={what} --help"
        )


def save_shown(figures: Mapping[str, "Figure"], folder: Path) -> None:
    """Write figures by name into a folder, as PNG and SVG; print the path of each PNG.

    Several are named in one line, with their folder.
    """
    from dlcourse.drawing.files import save_figure

    written = [save_figure(figure, folder / name)[0] for name, figure in figures.items()]
    if len(written) == 1:
        print(f"The plot is in {written[0]}, and as SVG next to it")
    else:
        *names, last = (path.name for path in written)
        print(f"The plots {', '.join(names)} and {last} are in {folder}, and as SVG next to them")
