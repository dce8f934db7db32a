"""Gradient ascent on images: maximise and dream."""

import torch

from dlcourse.look.ascent import blurred, gradient_ascent, normalized
from dlcourse.look.dream import dream, tiled_gradient


def seeded():
    return torch.Generator().manual_seed(3)


def brightness_above(images):
    """Return the mean of the upper half less that of the lower half."""
    return images[:, :, :4].mean((1, 2, 3)) - images[:, :, 4:].mean((1, 2, 3))


def test_ascent_raises_the_score_within_the_range_of_pixels():
    start = torch.full((2, 1, 8, 8), 100.0)
    images, scores = gradient_ascent(
        brightness_above, start, steps=60, rate=8, jitter=0, blur_every=0, generator=seeded()
    )
    assert torch.equal(scores[0], torch.zeros(2))
    assert (torch.stack(scores).diff(dim=0) >= 0).all()
    assert float(images.min()) == 0
    assert float(images.max()) == 255
    assert torch.equal(start, torch.full((2, 1, 8, 8), 100.0))


def test_the_same_seed_gives_the_same_image():
    options = {"steps": 5, "rate": 8, "jitter": 2, "blur_every": 2}
    start = 255 * torch.rand(1, 1, 8, 8)
    first, second = (
        gradient_ascent(brightness_above, start, generator=seeded(), **options)[0] for _ in range(2)
    )
    assert torch.equal(first, second)


def test_a_blurred_image_keeps_its_mean_and_a_flat_one_stays():
    image = torch.zeros(1, 2, 9, 9)
    image[0, 0, 4, 4] = 16
    assert blurred(image)[0, 0, 3:6, 3:6].tolist() == [[1, 2, 1], [2, 4, 2], [1, 2, 1]]
    assert float(blurred(image)[0, 1].max()) == 0
    flat = torch.full((1, 3, 5, 5), 7.0)
    torch.testing.assert_close(blurred(flat), flat)


def test_derivatives_are_scaled_in_each_image_and_zeros_stay_zero():
    gradient = torch.stack([torch.rand(1, 4, 4), torch.zeros(1, 4, 4)])
    scaled = normalized(gradient)
    assert abs(float(scaled[0].square().mean()) - 1) < 1e-5
    assert float(scaled[1].abs().max()) == 0


def test_a_dream_is_enlarged_once_for_each_later_octave():
    dreamt = dream(
        brightness_above, torch.full((2, 1, 8, 8), 99.0), octaves=3, steps=2, rate=4.0,
        generator=seeded(),
    )  # fmt: skip
    assert dreamt.shape == (2, 1, 16, 16)  # 8 x 1.4 x 1.4, rounded
    assert float(dreamt.std()) > 1


def test_tiles_give_the_gradient_of_every_pixel():
    images = torch.rand(1, 1, 16, 8)
    gradient = tiled_gradient(
        lambda tile: tile.square().sum((1, 2, 3)), images, images.shape[3:] * 2
    )
    torch.testing.assert_close(gradient, 2 * images)
