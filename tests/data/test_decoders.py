"""The faster decoder and reduced decoding give the stated pixels and read every kind of file."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from dlcourse.data.image_file import Reading, decode_image, read_image
from dlcourse.data.read_many import try_images
from dlcourse.engine.datasets import load_data
from dlcourse.errors import UserError

SIZE = 56
EXACT = Reading(SIZE, 3)
FAST = Reading(SIZE, 3, "torchvision")


def photo(width, height, seed=0):
    """Return an image with structure at all scales, like a photograph, and with sharp edges."""
    random = np.random.default_rng(seed)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    strength = np.hypot(rows, columns).clip(1 / width) ** -1.3
    waves = np.fft.rfft2(random.standard_normal((3, height, width))) * strength
    values = np.fft.irfft2(waves, (height, width)).transpose(1, 2, 0)
    image = Image.fromarray((128 + 45 * values / values.std()).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(5):
        x, y, side = random.uniform(0, 1, 3) * (width, height, width / 3)
        draw.ellipse([x, y, x + side, y + side], fill=tuple(random.integers(0, 256, 3).tolist()))
    return image


def square_by_pillow(path, size=SIZE):
    """Return the square in the middle, at whole pixels, resized by Pillow."""
    image = Image.open(path).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.array(square.resize((size, size), Image.Resampling.BILINEAR)).transpose(2, 0, 1)


def differences(a, b):
    apart = np.abs(a.astype(int) - b.astype(int))
    return apart.max(), apart.mean()


JPEGS = {
    "quality 75, 4:2:0": {"quality": 75, "subsampling": "4:2:0"},
    "quality 95, 4:4:4": {"quality": 95, "subsampling": "4:4:4"},
    "quality 85, 4:2:2, progressive": {"quality": 85, "subsampling": "4:2:2", "progressive": True},
}


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
@pytest.mark.parametrize(("width", "height"), [(250, 187), (187, 250), (160, 120), (40, 31)])
def test_torchvision_gives_pillows_pixels_up_to_1_of_255(options, width, height, tmp_path):
    path = tmp_path / "photo.jpg"
    photo(width, height).save(path, **options)
    largest, mean = differences(read_image(path, FAST), square_by_pillow(path))
    assert largest <= 1
    assert mean < 0.01


def test_the_two_decoders_differ_in_the_outermost_pixels_and_by_half_a_pixel(tmp_path):
    photo(256, 192).save(tmp_path / "even.jpg")
    photo(251, 192).save(tmp_path / "odd.jpg")
    even, odd = (
        [read_image(tmp_path / name, reading).astype(int) for reading in (EXACT, FAST)]
        for name in ("even.jpg", "odd.jpg")
    )
    assert np.abs(even[0] - even[1])[:, :, 1:-1].max() <= 1
    assert np.abs(odd[0] - odd[1])[:, :, 1:-1].max() > 1  # the control: an odd margin


def test_reduced_decoding_stays_within_the_stated_difference(tmp_path):
    path = tmp_path / "photo.jpg"
    photo(480, 360).save(path, quality=90)  # decoded as 240 x 180, or 120 x 90
    for decoder in ("pillow", "torchvision"):
        whole = read_image(path, Reading(SIZE, 3, decoder))
        reduced = read_image(path, Reading(SIZE, 3, decoder, reduced=True))
        largest, mean = differences(whole, reduced)
        assert 0 < mean < 1
        assert largest <= 16


@pytest.mark.parametrize("decoder", ["pillow", "torchvision"])
def test_reduced_decoding_leaves_small_files_as_they_are(decoder, tmp_path):
    path = tmp_path / "photo.jpg"
    photo(4 * SIZE, 3 * SIZE - 1).save(path)
    whole, reduced = (read_image(path, Reading(SIZE, 3, decoder, some)) for some in (False, True))
    assert np.array_equal(whole, reduced)


def save_with_orientation(path, number):
    exif = Image.Exif()
    exif[0x0112] = number
    photo(90, 70).save(path, exif=exif, quality=95)


UNUSUAL = {
    "grey.jpg": lambda path: photo(90, 70).convert("L").save(path),
    "cmyk.jpg": lambda path: photo(90, 70).convert("CMYK").save(path),
    "rotated.jpg": lambda path: save_with_orientation(path, 6),
    "mirrored.jpg": lambda path: save_with_orientation(path, 2),
    "colour.png": lambda path: photo(90, 70).save(path),
    "transparent.png": lambda path: photo(90, 70).convert("RGBA").save(path),
    "palette.gif": lambda path: photo(90, 70).quantize(64).save(path),
    "deep.png": lambda path: Image.fromarray(np.full((70, 90), 9000, np.uint16)).save(path),
    "photo.webp": lambda path: photo(90, 70).save(path, quality=90),
    "a_png_called.jpg": lambda path: photo(90, 70).save(path, format="PNG"),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", UNUSUAL)
def test_every_kind_of_file_is_read_by_both_decoders(name, channels, tmp_path):
    UNUSUAL[name](tmp_path / name)
    exact, notes = decode_image(tmp_path / name, Reading(SIZE, channels))
    fast, same_notes = decode_image(tmp_path / name, Reading(SIZE, channels, "torchvision"))
    assert notes == same_notes
    assert fast.shape == exact.shape == (channels, SIZE, SIZE)
    # an even margin; grey values are made after the resizing instead of before: one more rounding
    assert np.abs(fast.astype(int) - exact)[:, 2:-2, 2:-2].max() <= 2


@pytest.mark.parametrize("decoder", ["pillow", "torchvision"])
def test_a_truncated_jpeg_is_refused_by_both_decoders_in_the_same_words(decoder, tmp_path):
    whole = tmp_path / "whole.jpg"
    photo(90, 70).save(whole)
    (tmp_path / "cut.jpg").write_bytes(whole.read_bytes()[:900])
    with pytest.raises(UserError, match=r"cut\.jpg cannot be read: .*truncated"):
        read_image(tmp_path / "cut.jpg", Reading(SIZE, 3, decoder))
    pixels, problems, _ = try_images([tmp_path / "cut.jpg", whole], Reading(SIZE, 3, decoder))
    assert len(pixels) == 1
    assert [bool(problem) for problem in problems] == [True, False]


@pytest.fixture
def folder(tmp_path):
    for number in range(12):
        place = tmp_path / "images" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        photo(130, 100, number).save(place / f"{number}.jpg")
    return tmp_path / "images"


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("decoder", ["pillow", "torchvision"])
def test_each_way_to_read_has_its_own_cache_and_the_same_pixels_from_disk(
    decoder, reduced, folder, compose
):
    def train(memory, decoder, reduced):
        overrides = [f"data.decoder={decoder}", f"data.reduced_decode={reduced}", "data.size=32"]
        where = ["data=image_folder", f"data.root={folder}", f"data.memory={memory}"]
        return load_data(compose(*where, *overrides)).train

    train(1, "pillow", False)  # another cache in the folder
    kept, streamed = train(1, decoder, reduced), train(0, decoder, reduced)
    index = torch.arange(len(kept))
    for a, b in zip(*(next(part.batches([index])) for part in (kept, streamed)), strict=True):
        assert torch.equal(a, b)
    again = train(1, decoder, reduced)
    assert torch.equal(kept.inputs, again.inputs)
    assert torch.equal(kept.inputs, train(1, "pillow", False).inputs) is (
        decoder == "pillow" and not reduced
    )
