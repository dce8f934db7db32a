"""Read many images from files. Imports no torch, so that worker processes start quickly."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlcourse.data.image_file import ImageBytes, Reading, decode_image, read_image
from dlcourse.data.shared_file import SharedFile, mapped
from dlcourse.errors import UserError


def read_images(paths: Sequence[Path | str], reading: Reading) -> np.ndarray:
    """Read images as uint8 (N, channels, size, size); N may be 0."""
    images = np.empty((len(paths), reading.channels, reading.size, reading.size), np.uint8)
    for image, path in zip(images, paths, strict=True):
        image[:] = read_image(path, reading)
    return images


def read_into(
    file: SharedFile, shape: tuple[int, ...], start: int, paths: Sequence[str], reading: Reading
) -> None:
    """Read images into memory that is shared with another process.

    shape: of all images in the file, (N, channels, size, size). start: where the first one goes.
    """
    images = mapped(file, shape)
    for position, path in enumerate(paths, start):
        images[position] = read_image(path, reading)


def try_images(
    paths: Sequence[Path | str | ImageBytes], reading: Reading
) -> tuple[np.ndarray, list[str], list[list[str]]]:
    """Read the images that can be read; return for every path its error, or "", and its notes."""
    nothing = np.empty((0, reading.channels, reading.size, reading.size), np.uint8)
    images, problems, notes = [nothing], [], []
    for path in paths:
        try:
            pixels, noted = decode_image(path, reading)
            images.append(pixels[None])
            problems.append("")
        except UserError as error:
            noted = []
            problems.append(str(error))
        notes.append(noted)
    return np.concatenate(images), problems, notes


def inspect_images(
    paths: Sequence[Path | str], reading: Reading
) -> tuple[list[str], list[list[str]]]:
    """Return for every path the error of reading its image, or "", and its notes."""
    return try_images(paths, reading)[1:]
