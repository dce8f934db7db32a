"""Draw what is seen in a run, for Python: nothing is written."""

from os import PathLike
from typing import TYPE_CHECKING, Any

from dlcourse.look.registry import ALL, NotApplicableError, chosen_whats

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(run_folder: str | PathLike[str], what: str, **options: Any) -> list[tuple[str, "Figure"]]:
    """Return the plots of one ``what``, or of several, as pairs of a name and a figure.

    run_folder: of a finished run. what: as typed in ``dlcourse look``, ``"filters"`` or
    ``"filters,maps"``. options: as typed, ``layer="features.0", examples=4, class_=3``; ``class_``
    stands for ``class``, and ``data_root`` for ``data.root``. Nothing is written.

    ``"all"`` leaves out what the model does not have. Of an animation the last frame is returned.

    Raises UserError if the run, the layer or an option is wrong, or the plot cannot be drawn of
    this run.
    """
    from dlcourse.look.request import read_request
    from dlcourse.look.subject import drawings, open_subject

    typed = {key.rstrip("_").replace("data_root", "data.root"): v for key, v in options.items()}
    request = read_request(run_folder, what, typed)
    subject = open_subject(request)
    drawn = []
    for one in chosen_whats(what):
        try:
            made = drawings(subject, one, request.options[one])
        except NotApplicableError:
            if what != ALL:
                raise
        else:
            drawn += [(drawing.name, drawing.figures[-1]) for drawing in made]
    return drawn
