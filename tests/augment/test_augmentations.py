"""Every example draws for itself, and pictures stay what they were but for what is said."""

import pytest
import torch
from conftest import options

from dlcourse.build import build


def pictures(count=64, dtype=torch.uint8):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(1, 256, (count, 3, 8, 8), generator=generator).to(dtype)


def augmentation(compose, name, *more):
    return build(compose(f"augment=[{name}]", "data.size=28", *more).augment[name])


@pytest.mark.parametrize("name", options("augment"))
def test_an_augmentation_is_the_same_after_the_same_seed_and_differs_by_example(name, compose):
    augment = augmentation(compose, name)
    same = pictures(1).expand(64, 3, 8, 8)
    ends = []
    for _ in range(2):
        torch.manual_seed(3)
        ends.append(augment(same, torch.arange(64))[0])
    assert torch.equal(*ends)
    assert len({tuple(picture.flatten().tolist()) for picture in ends[0]}) > 1
    assert ends[0].shape == same.shape


def test_flip_mirrors_about_half_of_the_pictures_and_keeps_the_targets(compose):
    before = pictures()
    after, targets = augmentation(compose, "flip")(before, torch.arange(64))
    kept = (after == before).flatten(1).all(1)
    mirrored = (after == before.flip(-1)).flatten(1).all(1)
    assert (kept ^ mirrored).all()
    assert 15 < mirrored.sum() < 49
    assert torch.equal(targets, torch.arange(64))
    assert after.dtype == torch.uint8


@pytest.mark.parametrize("probability", [0, 1])
def test_flip_obeys_its_probability(probability, compose):
    flip = augmentation(compose, "flip", f"augment.flip.probability={probability}")
    before = pictures()
    expected = before.flip(-1) if probability else before
    assert torch.equal(flip(before, None)[0], expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_crop_is_a_shift_within_the_padding_with_black_coming_in(dtype, compose):
    crop = augmentation(compose, "crop", "augment.crop.padding=2")
    before = pictures(dtype=dtype)
    after, _ = crop(before, None)
    framed = torch.nn.functional.pad(before, [2] * 4)
    shifts = set()
    for was, now in zip(framed, after, strict=True):
        places = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if torch.equal(was[:, y : y + 8, x : x + 8], now)
        ]
        assert len(places) == 1
        shifts.update(places)
    assert len(shifts) > 15


def test_noise_has_the_stated_size_for_pictures_and_for_features(compose):
    noise = augmentation(compose, "noise", "augment.noise.std=0.1")
    grey = torch.full((50, 1, 28, 28), 128, dtype=torch.uint8)
    assert (noise(grey, None)[0] - 128).std().item() == pytest.approx(25.5, rel=0.02)
    features = torch.zeros(20_000, 2)
    assert noise(features, None)[0].std().item() == pytest.approx(0.1, rel=0.02)


def test_augmentations_combine_in_the_order_in_which_they_are_typed(compose):
    assert list(compose("augment=[crop,flip]").augment) == ["crop", "flip"]
    assert list(compose("augment=[flip,noise]").augment) == ["flip", "noise"]
