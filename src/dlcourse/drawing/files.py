"""Write figures as files: PNG and SVG, and animations as GIF."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse import atomic_files

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

PLOT_FORMATS = ("png", "svg")
SVG_STYLE: dict[Any, Any] = {"svg.hashsalt": "dlcourse"}  # equal figures give equal files
GIF_COLOURS = 128


def save_figure(figure: "Figure", path: Path, formats: Iterable[str] = PLOT_FORMATS) -> list[Path]:
    """Write a figure to ``path`` with each format's suffix; return the files.

    path: without a suffix, ``plots/curves``; its folder is made. A file that exists is replaced,
    and is never seen half written. Raises OSError if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in formats:
        place = path.with_name(f"{path.name}.{kind}")
        content = figure_bytes(figure, kind)
        atomic_files.write(place, lambda file, content=content: file.write(content))
        written.append(place)
    return written


def figure_bytes(figure: "Figure", kind: str = "png") -> bytes:
    """Return a figure as the content of a ``png`` or ``svg`` file."""
    from matplotlib import rc_context

    stream = BytesIO()
    with rc_context(SVG_STYLE):
        metadata = {"Date": None} if kind == "svg" else {}
        figure.savefig(stream, format=kind, metadata=metadata)
    return stream.getvalue()


def save_gif(frames: Iterable["Figure"], path: Path, seconds: float = 0.2) -> Path:
    """Write figures of one size as an animation that repeats; return the file.

    path: with its suffix ``.gif``; its folder is made. seconds: per frame; the last one is shown
    three times as long. Raises ValueError without frames.
    """
    images = [as_image(frame) for frame in frames]
    if not images:
        raise ValueError("an animation needs at least one frame")
    from PIL import Image

    palette = images[-1].quantize(GIF_COLOURS)
    indexed = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in images]
    durations = [round(1000 * seconds)] * (len(indexed) - 1) + [round(3000 * seconds)]
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = BytesIO()
    indexed[0].save(
        stream, format="GIF", save_all=True, append_images=indexed[1:], duration=durations, loop=0
    )
    atomic_files.write(path, lambda file: file.write(stream.getvalue()))
    return path


def as_image(figure: "Figure") -> "Image":
    """Return a figure as an RGB image of Pillow, at two thirds of its resolution."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(100)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
