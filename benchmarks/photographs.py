"""Folders of JPEG files that resemble photographs: structure at all scales, edges and noise."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

CLASSES = ("a", "b")
SAVED = (  # as cameras and web sites write them
    {"quality": 75, "subsampling": "4:2:0"},
    {"quality": 85, "subsampling": "4:2:0"},
    {"quality": 90, "subsampling": "4:2:0"},
    {"quality": 95, "subsampling": "4:4:4"},
)


def write_photographs(top: Path, width: int, height: int, count: int, different: int) -> Path:
    """Write ``count`` JPEG files into class folders of a new folder; return the folder.

    different: the number of images that are drawn; the other files are copies of them.
    """
    folder = top / f"{width}x{height}"
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    files = [folder / CLASSES[number % 2] / f"{number:04}.jpg" for number in range(count)]
    for number, file in enumerate(files):
        if number < different:
            photograph(width, height, number).save(file, **SAVED[number % len(SAVED)])
        else:
            shutil.copyfile(files[number % different], file)
    return folder


def photograph(width: int, height: int, seed: int) -> Image.Image:
    """Draw an image whose amplitudes fall with the frequency, as in photographs, with edges."""
    random = np.random.default_rng(seed)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    strength = np.hypot(rows, columns).clip(1 / width) ** -1.3
    waves = np.fft.rfft2(random.standard_normal((3, height, width))) * strength
    values = np.fft.irfft2(waves, (height, width)).transpose(1, 2, 0)
    image = to_image(values * (45 / values.std()) + random.uniform(80, 160, 3))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        x, y, side = random.uniform(0, 1, 3) * (width, height, width / 4)
        colour = tuple(random.integers(0, 256, 3).tolist())
        draw.ellipse([x - side, y - side, x + side, y + side / 2], fill=colour)
    softened = np.asarray(image.filter(ImageFilter.GaussianBlur(0.7)), dtype=float)
    return to_image(softened + random.normal(0, 4, (height, width, 1)))


def to_image(values: np.ndarray) -> Image.Image:
    """Convert values (H, W, 3), rounded and cut to 0 to 255, to an image."""
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8))
