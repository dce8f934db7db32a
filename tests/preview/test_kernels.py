"""Hand-made kernels on an image of the data set or of a file."""

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from dlcourse.layer.kernels import KERNELS


def test_the_results_are_those_of_scipy(shown, compose):
    from dlcourse.engine.datasets import load_data

    text, figures = shown("what=kernels", "image=2")
    image = load_data(compose()).train.inputs[2, 0].numpy().astype(float)
    for axes, kernel in zip(figures["kernels"].axes[1:], KERNELS.values(), strict=True):
        expected = ndimage.correlate(image, kernel.double().numpy(), mode="nearest")
        drawn = axes.get_images()[0].get_array()
        np.testing.assert_allclose(drawn, expected.clip(0, 255) / 255, atol=1e-5)
    assert f"digits 2, edge: {expected.min():.0f} to {expected.max():.0f}" in text


def test_a_colour_file_is_filtered_channel_by_channel(shown, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    _, figures = shown("what=kernels", "file=photo.png", "kernel=blur")
    original, blurred = (axes.get_images()[0].get_array() for axes in figures["kernels"].axes)
    np.testing.assert_allclose(original, pixels / 255, atol=1e-6)
    expected = ndimage.uniform_filter(pixels.astype(float), (3, 3, 0), mode="nearest") / 255
    np.testing.assert_allclose(blurred, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["kernel=sharp"], "did you mean sharpen"),
        (["image=5000"], "image=5000 is not allowed"),
        (["image=0.5"], "image=0.5 is not allowed"),
        (["file=no.png"], "file=no.png cannot be read"),
        (["data=moons", "model=mlp"], "data=moons has no images"),
    ],
)
def test_a_wrong_image_or_kernel_gets_one_message(options, named, refused):
    assert named in refused("what=kernels", *options)
