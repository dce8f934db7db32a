"""One picture out of a file; imports no torch, so that worker processes start in a moment."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from dlcourse.error import UserError


def read_picture(path: Path | str, size: int, channels: int) -> np.ndarray:
    """Return one picture as uint8 (channels, size, size), cropped to a square in the middle.

    Raises UserError naming a damaged one.
    """
    try:
        with Image.open(path) as picture:
            if picture.mode.startswith("I"):  # 16 bits of grey: convert() would cut, not scale
                picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
            picture = picture.convert("L" if channels == 1 else "RGB")
            picture = ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)
            pixels = np.array(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(
            f"The picture {path} cannot be read: {error}.\nReplace it or take it away"
        ) from error
    return pixels.reshape(size, size, channels).transpose(2, 0, 1)


def read_pictures(paths: list[str], size: int, channels: int) -> np.ndarray:
    """Return pictures as uint8 (N, channels, size, size)."""
    return np.stack([read_picture(path, size, channels) for path in paths])


def try_pictures(paths: list[str], size: int, channels: int) -> tuple[np.ndarray, list[str]]:
    """Return the pictures that can be read, and for every path what is wrong with it or ""."""
    pictures, problems = [np.empty((0, channels, size, size), np.uint8)], []
    for path in paths:
        try:
            pictures.append(read_picture(path, size, channels)[None])
            problems.append("")
        except UserError as error:
            problems.append(str(error))
    return np.concatenate(pictures), problems


def problems_of(paths: list[str], size: int, channels: int) -> list[str]:
    """Return for every path what is wrong with its picture, or ""."""
    return try_pictures(paths, size, channels)[1]
