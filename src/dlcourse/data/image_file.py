"""One image out of a file; imports no torch, so that worker processes start in a moment."""

import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dlcourse.errors import UserError, shown

RULES = 2  # raise it when the same file comes to give other pixels: the names of caches have it
MOST_PIXELS = 89_478_485  # Pillow's own bound; a file of some kilobytes can unpack to gigabytes
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")
DEEP = 65_535.0  # white in 16 bits
BITS_PER_SAMPLE, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # TIFF 6.0, section 8
MOST_NAMED = 3  # files that a line of a report names

NOTES = {
    "transparent": "are transparent: composited on white",
    "blank": "show one colour only once composited on white: give them another background",
    "deep": "have more than 8 bits per channel: scaled to 8",
    "frames": "have several frames or pages: only the first is read",
    "channels": "have more than three colour channels: only red, green and blue are read",
    "exif": "have damaged EXIF data: read without their orientation",
}
"""What a file can hold that pixels of 8 bits cannot, and what is made of it."""


def read_image(path: Path | str, size: int, channels: int) -> np.ndarray:
    """Return one image as uint8 (channels, size, size), cropped to a square in the middle.

    Raises UserError naming a damaged one, and one whose values have no known black and white.
    """
    return decode(path, size, channels)[0]


def decode(path: Path | str, size: int, channels: int) -> tuple[np.ndarray, list[str]]:
    """Return one image as ``read_image`` does, and the keys of the NOTES that are true of it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's; what they warn of is noted here
            with Image.open(path, formats=formats()) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise ValueError(
                        f"it has {image.width:,} x {image.height:,} pixels, and at most "
                        f"{MOST_PIXELS:,} are read"
                    )
                image, notes = flatten(image)
                image = image.convert("L" if channels == 1 else "RGB")
                image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
                pixels = np.array(image)
    except Exception as error:  # a decoder that meets damaged bytes may raise anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"The image {shown(path)} cannot be read: {shown(reason)}.\nReplace it or remove it"
        ) from error
    return pixels.reshape(size, size, channels).transpose(2, 0, 1), notes


@cache
def formats() -> tuple[str, ...]:
    """Return the formats that are read; Pillow knows others, some of which start programs."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def has_image_bytes(path: Path) -> bool:
    """Return whether a file begins as an image does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            Image.open(path, formats=formats()).close()
        except Image.DecompressionBombError:
            return True
        except Exception:  # decoders meet any bytes here; what is left out is counted
            return False
    return True


def flatten(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Return an image upright, with 8 bits per channel and opaque; and what is noted of it."""
    notes = []
    if getattr(image, "is_animated", False) and image.format != "MPO":  # a photo with a preview
        notes.append("frames")
    if image.mode == "RGBX":
        notes.append("channels")
    if image.mode[0] in "IF" or any(";16" in str(tile) for tile in image.tile):
        notes.append("deep")
    image.load()
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:  # of the orientation alone: the pixels are whole
        notes.append("exif")
    if image.mode[0] in "IF":
        if "transparency" in image.info:
            notes.append("transparent")
        return scale(image), notes
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        if image.getchannel("A").getextrema()[0] < 255:
            notes.append("transparent")
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image).convert("RGB")
            if all(low == high for low, high in image.getextrema()):
                notes.append("blank")
    return image, notes


def scale(image: Image.Image) -> Image.Image:
    """Return a grey image of 16 or 32 bits, or of floats, with 8 bits.

    16 bits are scaled from 0 to white, 65,535 or what the file says. Of 32 bits and floats no
    file says what is white: whole numbers from 0 to 255 and floats from 0 to 1 are taken for what
    they look like. Raises ValueError for others.
    """
    values = np.asarray(image).astype(np.float64)
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16") or image.format == "PPM":
        bits = tags.get(BITS_PER_SAMPLE, (16,))[0]
        white = 2.0**bits - 1 if bits < 16 else DEEP
    else:
        white, kind = (1.0, "floats") if image.mode == "F" else (255.0, "32-bit integers")
        if not (values.min() >= 0 and values.max() <= white):  # not a number is neither
            raise ValueError(
                f"it holds {kind} from {values.min():g} to {values.max():g}, and which of them is "
                f"white is not known; save it with 8 or 16 bits, or with values from 0 to "
                f"{white:g}"
            )
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO:
        values = white - values
    clear = image.info.get("transparency")
    if clear is not None:
        values[values == clear] = white
    return Image.fromarray((values * (255 / white)).round().astype(np.uint8))


def read_images(paths: Sequence[Path | str], size: int, channels: int) -> np.ndarray:
    """Return images as uint8 (N, channels, size, size)."""
    return np.stack([read_image(path, size, channels) for path in paths])


def try_images(
    paths: list[str], size: int, channels: int
) -> tuple[np.ndarray, list[str], list[list[str]]]:
    """Return the images that can be read; for every path what is wrong or "", and its notes."""
    images, problems, notes = [np.empty((0, channels, size, size), np.uint8)], [], []
    for path in paths:
        try:
            pixels, noted = decode(path, size, channels)
            images.append(pixels[None])
            problems.append("")
        except UserError as error:
            noted = []
            problems.append(str(error))
        notes.append(noted)
    return np.concatenate(images), problems, notes


def look_at(paths: list[str], size: int, channels: int) -> tuple[list[str], list[list[str]]]:
    """Return for every path what is wrong with its image, or "", and its notes."""
    return try_images(paths, size, channels)[1:]


def report(paths: Sequence[Path | str], notes: Iterable[Sequence[str]]) -> str:
    """Return one line that counts what was noted of some files, "" where nothing was."""
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
    """Name the first of some files and count the others."""
    names = [shown(path) for path in paths[:MOST_NAMED]]
    more = [f"and {len(paths) - MOST_NAMED:,} more"] if len(paths) > MOST_NAMED else []
    return ", ".join([*names, *more])
