"""Decode one image from a file. Imports no torch, so that worker processes start quickly."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from PIL import Image, ImageOps

from dlcourse.data.being_read import note_being_read
from dlcourse.errors import UserError, shown

READER_VERSION = 2  # part of cache names; raise it when files are decoded to other pixels
MOST_PIXELS = 89_478_485  # Pillow's limit: a file of kilobytes can unpack to gigabytes
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")
WHITE_16_BITS = 65_535.0
BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8
ROWS_AT_ONCE = 64
REDUCED_SIDE = 1.5  # with 1.0 the pixels differ by 2 of 255 in the mean, with 1.5 by less than 1
MOST_NAMED = 3  # the largest number of files that a message names

NOTES = {
    "transparent": "are transparent: composited on white",
    "blank": "show one colour only once composited on white: give them another background",
    "deep": "have more than 8 bits per channel: scaled to 8",
    "frames": "have several frames or pages: only the first is read",
    "channels": "have more than three colour channels: only red, green and blue are read",
    "exif": "have damaged EXIF data: read without their orientation",
}
"""Properties of an image that 8-bit RGB pixels cannot represent, and how each is converted."""


class Reading(NamedTuple):
    """How a file becomes pixels, uint8 (channels, size, size).

    decoder: ``pillow``, or ``torchvision``: faster, see ``torch_image``.
    reduced: decode JPEG files at 1/2, 1/4 or 1/8 of their size where that leaves at least
        REDUCED_SIDE times ``size``. It is faster, and the pixels differ a little.
    fit: how an image becomes square: ``crop`` keeps the square in the middle, ``letterbox`` the
        whole image with margins on two sides, ``stretch`` the whole image, distorted.
    fill: the grey level of the margins, 0 to 255.
    """

    size: int
    channels: int
    decoder: str = "pillow"
    reduced: bool = False
    fit: str = "crop"
    fill: int = 0


class ImageBytes(NamedTuple):
    """The content of an image file that is stored elsewhere. name: for messages."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


def reading_of(data: Mapping[str, Any], size: int, channels: int) -> Reading:
    """Return how a run with these options of ``data`` reads images of its size and channels."""
    decoder = data.get("decoder", "pillow")  # other data sets lack it, and earlier versions
    reduced, fit = data.get("reduced_decode", False), data.get("fit", "crop")
    return Reading(size, channels, decoder, reduced, fit, data.get("fill", 0))


def read_image(path: Path | str, reading: Reading) -> np.ndarray:
    """Read one image as uint8 (channels, size, size), made square and resized.

    Raises UserError for a damaged file and for an image whose range of values is unknown.
    """
    return decode_image(path, reading)[0]


def decode_image(path: Path | str | ImageBytes, reading: Reading) -> tuple[np.ndarray, list[str]]:
    """Read one image as ``read_image`` does; also return the keys of the NOTES that apply to it."""
    note_being_read(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's; the notes report the same
            source = BytesIO(path.content) if isinstance(path, ImageBytes) else path
            with Image.open(source, formats=formats()) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise ValueError(
                        f"it has {image.width:,} x {image.height:,} pixels, and at most "
                        f"{MOST_PIXELS:,} are read"
                    )
                if reading.decoder == "torchvision":
                    from dlcourse.data.torch_image import by_torchvision  # it imports torch

                    return by_torchvision(image, reading)
                return by_pillow(image, reading)
    except Exception as error:  # decoders raise any error on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"The image {shown(path)} cannot be read: {shown(reason)}.\nReplace it or remove it"
        ) from error
    finally:
        note_being_read("")


def reduce_decoding(image: Image.Image, reading: Reading) -> None:
    """Let an opened JPEG file be decoded at a fraction of its size, if the reading allows it."""
    if reading.reduced:
        side = ceil(REDUCED_SIDE * reading.size)
        image.draft(None, (side, side))


def by_pillow(image: Image.Image, reading: Reading) -> tuple[np.ndarray, list[str]]:
    """Return the pixels (channels, size, size) of an opened image, and its notes."""
    size = reading.size
    reduce_decoding(image, reading)
    image, notes = flatten(image)
    image = image.convert("L" if reading.channels == 1 else "RGB")
    if reading.fit == "crop":
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    elif reading.fit == "stretch":
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    else:
        image = with_margins(image, size, reading.fill)
    return np.array(image).reshape(size, size, reading.channels).transpose(2, 0, 1), notes


def with_margins(image: Image.Image, size: int, fill: int) -> Image.Image:
    """Resize an image of mode L or RGB to fit into a square, with margins of one grey level."""
    (width, height), (left, top) = place_in_square(*image.size, size)
    square = Image.new(image.mode, (size, size), fill if image.mode == "L" else (fill,) * 3)
    square.paste(image.resize((width, height), Image.Resampling.BILINEAR), (left, top))
    return square


def place_in_square(width: int, height: int, size: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the size (width, height) that fits into a square, and its place (left, top) there.

    They are rounded as by Pillow's ``ImageOps.pad``, but no side becomes 0.
    """
    if width > height:
        inner = size, max(round(height / width * size), 1)
    else:
        inner = max(round(width / height * size), 1), size
    return inner, (round((size - inner[0]) * 0.5), round((size - inner[1]) * 0.5))


@cache
def formats() -> tuple[str, ...]:
    """Return the formats to read; Pillow has others, some of which start external programs."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def has_image_bytes(path: Path) -> bool:
    """Return whether the first bytes of a file are those of an image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            Image.open(path, formats=formats()).close()
        except Image.DecompressionBombError:
            return True
        except Exception:  # a file may hold any bytes; skipped files are counted
            return False
    return True


def flatten(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Return an image upright, opaque and with 8 bits per channel, and its notes."""
    notes = []
    # the second frame of an MPO is only a preview of the photo
    if getattr(image, "is_animated", False) and image.format != "MPO":
        notes.append("frames")
    if image.mode == "RGBX":
        notes.append("channels")
    if image.mode[0] in "IF" or any(";16" in str(tile) for tile in getattr(image, "tile", ())):
        notes.append("deep")
    image.load()
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # only the orientation is lost
        notes.append("exif")
    if image.mode[0] in "IF":
        if "transparency" in image.info:
            notes.append("transparent")
        return scale(image), notes
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        lowest, _ = cast(tuple[int, int], image.getchannel("A").getextrema())
        if lowest < 255:
            notes.append("transparent")
            white = Image.new("RGBA", image.size, "white")
            white.alpha_composite(image)
            image = white.convert("RGB")
            channels = cast(tuple[tuple[int, int], ...], image.getextrema())
            if all(low == high for low, high in channels):
                notes.append("blank")
    return image, notes


def scale(image: Image.Image) -> Image.Image:
    """Convert a grey image of 16 or 32 bits, or of floats, to 8 bits.

    16 bits are scaled so that 65,535, or the largest value that the file declares, becomes 255.
    Files of 32 bits and of floats do not declare which value is white: integers from 0 to 255 are
    kept, floats from 0 to 1 are scaled.

    Raises ValueError for other ranges.
    """
    values = np.asarray(image)
    lowest, highest = float(values.min()), float(values.max())
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16") or image.format == "PPM":
        bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
        white = 2.0**bits - 1 if bits < 16 else WHITE_16_BITS
    else:
        white, kind = (1.0, "floats") if image.mode == "F" else (255.0, "32-bit integers")
        if not (lowest >= 0 and highest <= white):  # also true for nan
            raise ValueError(
                f"it holds {kind} from {lowest:g} to {highest:g}, and which of them is "
                f"white is not known; save it with 8 or 16 bits, or with values from 0 to "
                f"{white:g}"
            )
    inverted, clear = tags.get(PHOTOMETRIC) == WHITE_IS_ZERO, image.info.get("transparency")
    scaled = np.empty(values.shape, np.uint8)
    for first in range(0, len(values), ROWS_AT_ONCE):  # all at once need 24 bytes a pixel
        rows = values[first : first + ROWS_AT_ONCE].astype(np.float64)
        if inverted:
            rows = white - rows
        if clear is not None:
            rows[rows == clear] = white
        scaled[first : first + ROWS_AT_ONCE] = (rows * (255 / white)).round()
    return Image.fromarray(scaled)


def describe_notes(paths: Sequence[Path | str], notes: Iterable[Sequence[str]]) -> str:
    """Return one line that counts the notes of some files, or "" if there are none."""
    named: dict[str, list[Path | str]] = {note: [] for note in NOTES}
    for path, found in zip(paths, notes, strict=True):
        for note in found:
            named[note].append(path)
    return "; ".join(
        f"{len(those):,} of {len(paths):,} images {NOTES[note]} ({first_of(those)})"
        for note, those in named.items()
        if those
    )


def first_of(paths: Sequence[Path | str]) -> str:
    """Return the names of the first few files, and the number of the others."""
    names = [shown(path) for path in paths[:MOST_NAMED]]
    more = [f"and {len(paths) - MOST_NAMED:,} more"] if len(paths) > MOST_NAMED else []
    return ", ".join([*names, *more])
