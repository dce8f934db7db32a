"""The images of a report: those that runs have in their folders, made small and embedded."""

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.schema.run_files import LOOKS, PLOTS

if TYPE_CHECKING:
    from PIL.Image import Image

MAIN_WIDTH, FOLDED_WIDTH = 1000, 640
"""The largest width of an embedded image in pixels: of the best run, and of the others."""
BROAD = 1.9  # width by height above which an image has the whole width of the page
QUALITY = 85  # of WebP, from 0 to 100
MAX_ANIMATION = 400_000  # bytes
MAX_PIXELS = 50_000_000
MAX_BYTES = 2_700_000
"""Of all embedded images of a page, before base64 makes them a third larger."""
IMAGE_SUFFIXES = (".png", ".gif")


@dataclass(frozen=True)
class PageImage:
    """An image on the page. uri: its content as a ``data:`` address; empty if it is left out.

    problem: why it is left out. broad: whether it has the whole width of the page.
    """

    path: Path
    caption: str
    alt: str
    uri: str = ""
    width: int = 0
    height: int = 0
    problem: str = ""
    broad: bool = False


@dataclass
class Room:
    """The bytes that images of a page may still take."""

    left: int = field(default=MAX_BYTES)


def image_files(folder: Path, *, without: tuple[str, ...] = ()) -> list[Path]:
    """Return the images that a run, or one fold, has in ``plots`` and ``look``.

    without: names without suffix of files that are not wanted.
    """
    places = [place for place in (folder / PLOTS, folder / LOOKS) if place.is_dir()]
    found = [path for place in places for path in sorted(place.rglob("*"))]
    return [
        path
        for path in found
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file() and path.stem not in without
    ]


def caption_of(path: Path, folder: Path) -> str:
    """Return what an image shows, from its path in a run's folder: ``Look: filters, conv1``."""
    *places, _ = path.relative_to(folder).parts if path.is_relative_to(folder) else (path.name,)
    kinds = ["Look" if place == LOOKS else place for place in places if place != PLOTS]
    name = path.stem.replace("_", " ")
    if LOOKS in places:
        name = name.replace("-", ", ", 1)  # ``filters-features.0``
    return ": ".join([*kinds, name if kinds else name[:1].upper() + name[1:]])


def embedded(path: Path, caption: str, owner: str, room: Room, widest: int) -> PageImage:
    """Return an image for the page; one that is damaged or has no room is left out and says so.

    owner: the name of the run, for the alternative text.
    """
    alt = f"{caption}, {owner}"
    try:
        content, kind, size = encoded(path, widest)
    except Exception as error:  # Pillow raises many types for damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return PageImage(path, caption, alt, problem=f"cannot be read ({reason})")
    if len(content) > room.left:
        return PageImage(path, caption, alt, problem="left out: the page would be too large")
    room.left -= len(content)
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    broad = size[0] > BROAD * size[1] or "diagnostics" in path.stem  # many panels
    return PageImage(path, caption, alt, uri, *size, broad=broad)


def encoded(path: Path, widest: int) -> tuple[bytes, str, tuple[int, int]]:
    """Return an image's content, ``png``, ``gif`` or ``webp``, and its size in pixels.

    An image that is wider than ``widest`` is shrunk, and written as WebP unless the file is smaller
    as it is. An animation is not changed, or becomes its last image if it is too large. Raises an
    error for a damaged file.
    """
    from PIL import Image

    content = path.read_bytes()
    with Image.open(io.BytesIO(content), formats=("PNG", "GIF")) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"{image.width} x {image.height} pixels are too many")
        if image.format == "GIF" and len(content) <= MAX_ANIMATION:
            for frame in range(getattr(image, "n_frames", 1)):
                image.seek(frame)
                image.load()
            return content, "gif", image.size
        image.seek(getattr(image, "n_frames", 1) - 1)
        image.load()
        small = shrunk(image, widest)
        kept = image.format == "PNG" and image.width <= widest
    stream = io.BytesIO()
    small.save(stream, format="WEBP", quality=QUALITY)
    if kept and len(content) <= stream.tell():
        return content, "png", small.size
    return stream.getvalue(), "webp", small.size


def shrunk(image: "Image", widest: int) -> "Image":
    """Return an image of at most this width on white."""
    from PIL import Image

    whole = image.convert("RGBA")
    paper = Image.new("RGBA", whole.size, "white")
    paper.alpha_composite(whole)
    if paper.width > widest:
        height = max(1, round(paper.height * widest / paper.width))
        paper = paper.resize((widest, height), Image.Resampling.LANCZOS)
    return paper.convert("RGB")
