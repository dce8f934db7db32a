"""Image files of all formats that are read."""

import io
import random
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from fuzzing.drive import Prepared
from fuzzing.mutations import mutated_bytes

EXIF = b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00"  # without an entry
SAVED = {
    "png": ("L", "RGB", "RGBA", "P", "I;16", "1"),
    "jpeg": ("L", "RGB", "CMYK"),
    "gif": ("P",),
    "bmp": ("L", "RGB", "P"),
    "tiff": ("L", "RGB", "I;16", "F", "CMYK", "RGBA"),
    "webp": ("RGB", "RGBA"),
    "ppm": ("L", "RGB"),
    "jpeg2000": ("L", "RGB"),
    "avif": ("RGB",),
}
"""The modes in which images of each format are saved."""


@cache
def image_seeds() -> tuple[bytes, ...]:
    """Return valid images of every format that this Pillow can write."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)
    whole = Image.fromarray(pixels)
    found = []
    for kind, modes in SAVED.items():
        for mode in modes:
            image = whole.convert("L").convert(mode) if ";" in mode else whole.convert(mode)
            memory = io.BytesIO()
            try:
                more = (
                    {"exif": b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00"}
                    if kind == "jpeg"
                    else {}
                )
                image.save(memory, kind, **more)
            except (OSError, KeyError, ValueError):
                continue  # this Pillow cannot write it
            found.append(memory.getvalue())
    frames = io.BytesIO()
    whole.convert("P").save(frames, "gif", save_all=True, append_images=[whole.rotate(90)] * 2)
    packed = io.BytesIO()
    whole.save(packed, "tiff", compression="tiff_lzw")
    return (*found, frames.getvalue(), packed.getvalue())


def image_files(folder: Path) -> Prepared:
    """Decode images with both decoders."""
    from dlcourse.data.image_file import Reading, has_image_bytes, read_image

    readings = [
        Reading(8, 3), Reading(8, 1, fit="letterbox", fill=7), Reading(8, 3, "torchvision"),
        Reading(8, 1, "torchvision", fit="stretch"), Reading(8, 3, reduced=True, fit="stretch"),
        Reading(4, 3, "torchvision", reduced=True, fit="letterbox"),
    ]  # fmt: skip
    path, seeds = folder / "image", image_seeds()

    def read(content: bytes) -> None:
        reading = readings[content[0] % len(readings)]
        path.write_bytes(content[1:])
        has_image_bytes(path)
        pixels = read_image(path, reading)
        assert pixels.shape == (reading.channels, reading.size, reading.size)
        assert pixels.dtype == np.uint8

    def make(draw: random.Random) -> bytes:
        return bytes([draw.randrange(len(readings))]) + mutated_bytes(draw, seeds)

    return Prepared(read, make)
