"""How an image that is not square becomes square: crop, letterbox, stretch."""

import numpy as np
import pytest
import torch
from conftest import composed
from PIL import Image, ImageOps
from torchvision.transforms.v2 import functional as tv

from dlcourse.data.image_file import Reading, place_in_square, read_image, reading_of
from dlcourse.data.load_images import kind_and_versions
from dlcourse.runs.migrate import migrated

SHAPES = ((40, 24), (23, 57), (31, 31), (300, 2))  # (width, height)
BILINEAR = Image.Resampling.BILINEAR


@pytest.fixture(scope="module", params=SHAPES, ids=str)
def image(request, tmp_path_factory):
    """Return the path of an image of noise with a gradient, and the image itself."""
    width, height = request.param
    noise = np.random.default_rng(width).integers(0, 90, (height, width, 3))
    ramp = np.linspace(0, 160, width)[None, :, None]
    made = Image.fromarray((noise + ramp).astype(np.uint8))
    path = tmp_path_factory.mktemp("fit") / "image.png"
    made.save(path)
    return path, made


def reference(image: Image.Image, fit: str, fill: int) -> np.ndarray:
    """Return what Pillow's own functions make of an image, (3, 16, 16)."""
    if fit == "crop":
        made = ImageOps.fit(image, (16, 16), BILINEAR)
    elif fit == "stretch":
        made = image.resize((16, 16), BILINEAR)
    else:
        made = ImageOps.pad(image, (16, 16), BILINEAR, (fill, fill, fill))
    return np.asarray(made).transpose(2, 0, 1)


@pytest.mark.parametrize("fit", ["crop", "letterbox", "stretch"])
def test_pillow_reads_images_as_its_own_functions_do(fit, image):
    path, made = image
    if fit == "letterbox" and min(made.size) * 16 < max(made.size):
        return  # ImageOps.pad fails where a side would have no pixel
    pixels = read_image(path, Reading(16, 3, fit=fit, fill=77))
    assert np.array_equal(pixels, reference(made, fit, 77))
    if made.width != made.height:
        others = {"crop", "letterbox", "stretch"} - {fit}
        assert not any(
            np.array_equal(pixels, read_image(path, Reading(16, 3, fit=one, fill=77)))
            for one in others
        )


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
def test_torchvision_reads_images_as_its_own_functions_do(fit, image):
    path, made = image
    pixels = torch.from_numpy(read_image(path, Reading(16, 3, "torchvision", fit=fit, fill=77)))
    whole = tv.pil_to_tensor(made)
    if fit == "stretch":
        expected = tv.resize(whole, [16, 16], antialias=True)
    else:
        (width, height), (left, top) = place_in_square(*made.size, 16)
        inner = tv.resize(whole, [height, width], antialias=True)
        margins = [left, top, 16 - width - left, 16 - height - top]
        expected = tv.pad(inner, margins, fill=77)
    assert torch.equal(pixels, expected)


@pytest.mark.parametrize("fit", ["letterbox", "stretch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_decoders_differ_by_rounding_only(fit, channels, image):
    path, _ = image
    both = [
        read_image(path, Reading(16, channels, decoder, fit=fit, fill=200)).astype(int)
        for decoder in ("pillow", "torchvision")
    ]
    assert np.abs(both[0] - both[1]).max() <= 1


def test_the_place_in_the_square_is_that_of_pillow():
    for width in (7, 16, 33, 100):
        for height in (9, 16, 50, 101):
            inner, (left, top) = place_in_square(width, height, 32)
            contained = ImageOps.contain(Image.new("L", (width, height)), (32, 32))
            assert inner == contained.size
            assert abs(32 - inner[0] - 2 * left) <= 1
            assert abs(32 - inner[1] - 2 * top) <= 1


def test_a_run_s_options_decide_and_an_older_run_crops():
    config = composed("data=image_folder", "data.fit=letterbox", "data.fill=255")
    assert reading_of(config["data"], 8, 1) == Reading(8, 1, fit="letterbox", fill=255)
    stored = {"data": {key: config["data"][key] for key in ("_target_", "size", "channels")}}
    older = migrated(stored)["data"]
    assert (older["fit"], older["fill"]) == ("crop", 0)


def test_every_way_to_fit_has_a_cache_of_its_own():
    names = [
        kind_and_versions(Reading(8, 3, fit=fit, fill=fill))[0]
        for fit, fill in (("crop", 0), ("letterbox", 0), ("letterbox", 9), ("stretch", 0))
    ]
    assert names == ["3x8", "letterbox0-3x8", "letterbox9-3x8", "stretch-3x8"]
    assert kind_and_versions(Reading(8, 3, fit="stretch", fill=9))[0] == "stretch-3x8"
