"""Conversion of images to the chosen size and number of channels."""

import numpy as np
import pytest
import torch
from conftest import idx_files
from PIL import Image

from dlcourse.data.image import CHUNK, convert, luma
from dlcourse.engine.datasets import load_data


def random_images(count, channels, height, width):
    return torch.randint(256, (count, channels, height, width), dtype=torch.uint8)


def test_grey_values_equal_pillows():
    images = random_images(4, 3, 200, 200)
    for ours, image in zip(luma(images), images, strict=True):
        theirs = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).convert("L")
        assert np.array_equal(ours[0], np.array(theirs))


@pytest.mark.parametrize("size", [5, 17, 28, 41, 64])
def test_resizing_equals_pillows_up_to_rounding(size):
    images = random_images(3, 1, 28, 28)
    for ours, image in zip(convert(images, size, 1), images, strict=True):
        theirs = Image.fromarray(image[0].numpy()).resize((size, size), Image.Resampling.BILINEAR)
        assert np.abs(ours[0].int().numpy() - np.array(theirs, dtype=int)).max() <= 1


@pytest.mark.parametrize(("before", "after"), [(1, 1), (1, 3), (3, 1), (3, 3)])
@pytest.mark.parametrize("size", [6, 9])
def test_images_are_converted_to_any_size_and_to_1_or_3_channels(before, after, size):
    images = random_images(CHUNK + 3, before, 6, 6)
    converted = convert(images, size, after)
    assert converted.shape == (CHUNK + 3, after, size, size)
    assert converted.dtype == torch.uint8
    assert torch.equal(converted[-3:], convert(images[-3:], size, after))
    if before == 1:
        assert torch.equal(converted[:, :1].expand_as(converted), converted)


def test_images_of_the_right_size_are_not_copied():
    images = random_images(2, 3, 6, 6)
    assert convert(images, 6, 3) is images


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", ["digits", "kmnist"])
def test_a_data_set_has_the_size_and_channels_of_its_options(name, channels, tmp_path, compose):
    raw = tmp_path / "KMNIST/raw"
    raw.mkdir(parents=True)
    for file, content in idx_files().items():
        (raw / file).write_bytes(content)
    overrides = (
        f"data={name}",
        "data.size=13",
        f"data.channels={channels}",
        f"data.root={tmp_path}",
    )
    assert load_data(compose(*overrides)).input_shape == (channels, 13, 13)
    assert load_data(compose(f"data={name}", f"data.root={tmp_path}")).input_shape == (1, 28, 28)
