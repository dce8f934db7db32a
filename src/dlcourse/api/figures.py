"""Plots that a notebook shows without pyplot, and pages that it shows in place."""

from base64 import b64encode
from functools import partial
from html import escape
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dlcourse.errors import UserError, nearest
from dlcourse.schema.run_files import PLOTS
from dlcourse.terminal.installed import short_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INLINE_DOTS = 80  # per inch, in a notebook
PAGE_HEIGHT = 700  # pixels of a page in a notebook


def inline(figure: "Figure") -> "Figure":
    """Make a notebook show a figure as an image, also where pyplot was never imported.

    A figure alone has no such representation: IPython prints ``<Figure size ...>`` for it.
    """
    cast(Any, figure)._repr_png_ = partial(inline_png, figure)
    return figure


def inline_png(figure: "Figure") -> bytes:
    """Return a figure as PNG in the resolution of a notebook."""
    from dlcourse.drawing.files import figure_bytes

    return figure_bytes(figure, dpi=INLINE_DOTS)


class Figures(list["Figure"]):
    """Several figures; a notebook shows them below each other."""

    def _repr_html_(self) -> str:
        images = (b64encode(inline_png(figure)).decode("ascii") for figure in self)
        return "<br>".join(f'<img src="data:image/png;base64,{image}">' for image in images)


class ReportPage(PathLike[str]):
    """A report as an HTML file, which a notebook shows in place. path: of the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"<report {short_path(self.path)}>"

    def _repr_html_(self) -> str:
        page = escape(self.path.read_text(encoding="utf-8"), quote=True)
        style = f"width:100%;height:{PAGE_HEIGHT}px;border:1px solid #ccc"
        return f'<iframe srcdoc="{page}" style="{style}"></iframe>'


def stored_plot(folder: Path, name: str) -> "Figure":
    """Return a plot that a run has stored, ``confusion``, as a figure that shows the image.

    Raises UserError that lists the stored plots if there is none of this name.
    """
    known = sorted(path.stem for path in (folder / PLOTS).glob("*.png"))
    if name not in known:
        shown = short_path(folder / PLOTS)
        raise UserError(
            f"{shown} holds no plot {name}; {nearest(name, known)}"
            if known
            else f"{shown} holds no plots: the run was started without observe=[plots], or by an "
            "older dlcourse.\nrun.curves() draws its curves"
        )
    import numpy as np
    from matplotlib.figure import Figure
    from PIL import Image

    with Image.open(folder / PLOTS / f"{name}.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    height, width = pixels.shape[:2]
    figure = Figure(figsize=(width / INLINE_DOTS, height / INLINE_DOTS), dpi=INLINE_DOTS)
    figure.figimage(pixels)
    return inline(figure)
