"""Decode the images in a column of a data set of Hugging Face."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from dlcourse.data.cache import IMAGES_KEY
from dlcourse.data.image_file import ImageBytes, Reading
from dlcourse.data.load_images import AT_A_TIME
from dlcourse.data.read_many import try_images
from dlcourse.data.streamed import TOO_FEW_FOR_WORKERS
from dlcourse.data.workers import map_ahead
from dlcourse.errors import UserError, shown
from dlcourse.terminal.live_line import working


def decoded_images(rows: Any, column: str, reading: Reading, workers: int) -> dict[str, Any]:
    """Return all images (N, channels, size, size) uint8, their notes, and digests of their files.

    Raises UserError for an image that is missing or cannot be read.
    """
    count = len(rows)
    images = torch.empty(count, reading.channels, reading.size, reading.size, dtype=torch.uint8)
    notes: list[list[str]] = []
    digests: list[int] = []
    done = 0

    def pieces() -> Iterator[tuple[list[ImageBytes], Reading]]:
        for start in range(0, count, AT_A_TIME):
            files = stored_images(rows, column, start, min(start + AT_A_TIME, count))
            digests.extend(map(digest_of_bytes, files))
            yield files, reading

    enough = workers if count > TOO_FEW_FOR_WORKERS else 0
    with working("reading images", count) as advance:
        for pixels, problems, noted in map_ahead(try_images, pieces(), enough):
            for problem in filter(None, problems):
                raise UserError(problem)
            images[done : done + len(pixels)] = torch.from_numpy(pixels)
            done += len(pixels)
            notes += noted
            advance(len(pixels))
    return {IMAGES_KEY: images, "notes": notes, "contents": torch.tensor(digests)}


def stored_images(rows: Any, column: str, start: int, stop: int) -> list[ImageBytes]:
    """Return the content of the image files in some rows, as they are stored."""
    stored = rows.select_columns([column]).with_format("arrow")[start:stop][column].to_pylist()
    files = []
    for number, one in enumerate(stored, start):
        name = f"in row {number}, column {column}"
        if one is None or (one.get("bytes") is None and one.get("path") is None):
            raise UserError(
                f"There is no image {name}.\nLeave out such rows, for example by filter"
            )
        content = one.get("bytes")
        if content is None:
            content = file_content(one["path"], name)
        files.append(ImageBytes(name, content))
    return files


def file_content(path: str, name: str) -> bytes:
    """Return the bytes of an image that a row only names; raises UserError if it is missing."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(
            f"The image {name} is stored as the file {shown(path)}, which cannot be read: {error}."
            "\nPut the file back, or save the data set with its images inside"
        ) from error


def digest_of_bytes(file: ImageBytes) -> int:
    """Return a digest of an image file's bytes that fits int64."""
    made = hashlib.blake2b(file.content, digest_size=8).digest()
    return int.from_bytes(made, "little", signed=True)
