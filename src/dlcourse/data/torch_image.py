"""Decode and resize an image by torchvision and PyTorch: faster than Pillow, equal up to rounding.

Two things differ from ``by_pillow``. PyTorch's weights of the resizing have fewer bits, so that a
value may differ by 1 of 255. And the square in the middle begins at a whole pixel and is resized
alone: Pillow's begins at half a pixel where the margin is odd, and its outermost pixels also see
the pixels outside the square.
"""

from typing import IO, cast

import numpy as np
import torch
from PIL import Image, ImageFile
from torch import Tensor
from torch.nn import functional as F
from torchvision.io import ImageReadMode, decode_jpeg

from dlcourse.data.image import luma
from dlcourse.data.image_file import Reading, flatten, place_in_square, reduce_decoding

ORIENTATION, UPRIGHT = 0x0112, 1  # EXIF 2.3, section 4.6.4


def by_torchvision(image: Image.Image, reading: Reading) -> tuple[np.ndarray, list[str]]:
    """Return the pixels (channels, size, size) of an opened image, and its notes."""
    whole = image.size
    reduce_decoding(image, reading)
    pixels, notes = plain_jpeg(image) if image.size == whole else None, []
    if pixels is None:
        image, notes = flatten(image)
        pixels = from_pillow(image if image.mode == "L" else image.convert("RGB"))
    return made_square(pixels, reading).numpy(), notes


def plain_jpeg(image: Image.Image) -> Tensor | None:
    """Decode an opened JPEG file in colour, uint8 (3, H, W); None if Pillow has to read it.

    Pillow reads rotated, grey, CMYK and damaged files, so that notes and messages are the same for
    every decoder. libjpeg-turbo decodes for both, to equal pixels.
    """
    if image.format != "JPEG" or image.mode != "RGB":
        return None
    try:
        if image.getexif().get(ORIENTATION, UPRIGHT) != UPRIGHT:
            return None
        opened = cast(IO[bytes], cast(ImageFile.ImageFile, image).fp)
        opened.seek(0)
        file = torch.frombuffer(bytearray(opened.read()), dtype=torch.uint8)
        return cast(Tensor, decode_jpeg(file, ImageReadMode.RGB))
    except Exception:  # Pillow reports what is wrong with the file
        return None


def from_pillow(image: Image.Image) -> Tensor:
    """Return the pixels of an image of mode L or RGB, uint8 (1 or 3, H, W)."""
    pixels = np.array(image)
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)


def made_square(image: Tensor, reading: Reading) -> Tensor:
    """Make an image (C, H, W) square: (channels, size, size), see ``Reading``."""
    height, width = image.shape[1:]
    inner = size = reading.size, reading.size  # (height, width)
    top, left = 0, 0
    if reading.fit == "crop":
        side = min(height, width)
        y, x = (height - side) // 2, (width - side) // 2
        image = image[:, y : y + side, x : x + side]
    elif reading.fit == "letterbox":
        (right, down), (left, top) = place_in_square(width, height, reading.size)
        inner = down, right
    pixels = image[None]
    if image.shape[1:] != inner:
        pixels = F.interpolate(pixels, inner, mode="bilinear", antialias=True)
    if inner != size:
        margins = (left, size[1] - inner[1] - left, top, size[0] - inner[0] - top)
        pixels = F.pad(pixels, margins, value=reading.fill)
    if reading.channels < len(image):
        pixels = luma(pixels)
    return pixels[0].expand(reading.channels, *size)
