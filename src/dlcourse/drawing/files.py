"""Write figures as files: PNG and SVG, and animations as GIF."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcourse import atomic_files

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

PLOT_FORMATS = ("png", "svg")
SVG_STYLE: dict[Any, Any] = {"svg.hashsalt": "dlcourse"}  # equal figures give equal files
GIF_COLOURS = 256


def save_figure(figure: "Figure", path: Path, formats: Iterable[str] = PLOT_FORMATS) -> list[Path]:
    """Write a figure to ``path`` with each format's suffix; return the files.

    path: without a suffix, ``plots/curves``; its folder is made. A file that exists is replaced,
    and is never seen half written. Raises OSError if it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    written = []
    with laid_out(figure):
        for kind in formats:
            place = path.with_name(f"{path.name}.{kind}")
            content = figure_bytes(figure, kind)
            atomic_files.write(
                place, lambda file, content=content: file.write(content), durable=False
            )
            written.append(place)
    return written


def save_small_png(figure: "Figure", path: Path, dpi: float, colours: int = 64) -> Path:
    """Write a figure as a PNG file with few colours, a third as large; return the file.

    Thin lines and text stay sharp; photographs become grainy. A figure of many colours, such as a
    surface, gets four times as many.
    """
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.open(BytesIO(figure_bytes(figure, "png", dpi))).convert("RGB")
    many = image.getcolors(maxcolors=2**15) is None
    kept = 256 if many else colours
    # the default method makes rare saturated colours grey
    indexed = image.quantize(kept, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    stream = BytesIO()
    indexed.save(stream, format="PNG", optimize=True)
    atomic_files.write(path, lambda file: file.write(stream.getvalue()), durable=False)
    return path


@contextmanager
def laid_out(figure: "Figure") -> Iterator[None]:
    """Place the parts of a figure once, not again for each file that is written in this block.

    A layout takes as long as drawing, and ``savefig`` draws once more to be sure of it.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        yield
        return
    engine.execute(figure)
    figure.set_layout_engine(None)
    try:
        yield
    finally:
        figure.set_layout_engine(engine)


def figure_bytes(figure: "Figure", kind: str = "png", dpi: float | None = None) -> bytes:
    """Return a figure as the content of a ``png`` or ``svg`` file.

    dpi: dots per inch; None for the figure's own.
    """
    from matplotlib import rc_context

    stream = BytesIO()
    with rc_context(SVG_STYLE):
        metadata = {"Date": None} if kind == "svg" else {}
        more: dict[str, Any] = {}
        if kind == "png":
            more = {"pil_kwargs": {"compress_level": 4}}  # half the time of the default, 6
        more |= {"format": kind, "metadata": metadata, "dpi": dpi or "figure"}
        figure.savefig(stream, **more)
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

    palette = common_palette([images[len(images) // 2], images[-1]])
    indexed = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in images]
    durations = [round(1000 * seconds)] * (len(indexed) - 1) + [round(3000 * seconds)]
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = BytesIO()
    indexed[0].save(
        stream, format="GIF", save_all=True, append_images=indexed[1:], duration=durations, loop=0
    )
    atomic_files.write(path, lambda file: file.write(stream.getvalue()))
    return path


def common_palette(images: Sequence["Image"]) -> "Image":
    """Return the palette of an animation, from RGB images, as ``Image.quantize`` takes it.

    It has the colours of lines and the most frequent ones exactly, so that thin lines keep theirs;
    a quarter of it stands for all others, as in photographs.
    """
    import numpy as np
    from PIL import Image

    from dlcourse.drawing.style import COLOURS

    pixels = np.concatenate([np.asarray(image).reshape(-1, 3) for image in images])  # (N, 3)
    packed = pixels.astype(np.int64) @ np.array([65536, 256, 1])
    found, counts = np.unique(packed, return_counts=True)
    frequent = found[np.argsort(-counts, kind="stable")[: GIF_COLOURS * 3 // 4]]
    rest = images[-1].quantize(GIF_COLOURS - len(frequent)).getpalette() or []
    of_lines = [int(colour.lstrip("#"), 16) for colour in COLOURS]
    kept = dict.fromkeys([*of_lines, *map(int, frequent)])
    exact = [colour >> shift & 255 for colour in kept for shift in (16, 8, 0)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*exact, *rest][: 3 * GIF_COLOURS])
    return palette


def as_image(figure: "Figure") -> "Image":
    """Return a figure as an RGB image of Pillow, at two thirds of its resolution."""
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(100)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
