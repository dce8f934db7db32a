"""Mixtures of two examples keep the sum of their targets."""

import pytest
import torch

from dlcourse.augment.cutmix import cutmix, rectangles
from dlcourse.augment.mixing import shares
from dlcourse.augment.mixup import mixup


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_mixed_classes_and_mixed_soft_targets_are_probabilities(mix):
    inputs, targets = torch.randint(256, (64, 1, 8, 8)).byte(), torch.arange(64) % 10
    once, soft = mix(inputs, targets, classes=10, alpha=1.0)
    assert soft.shape == (64, 10)
    assert torch.allclose(soft.sum(1), torch.ones(64))
    assert (soft.gather(1, targets[:, None]) > 0).all()
    _, twice = mix(once, soft, classes=10, alpha=1.0)
    assert torch.allclose(twice.sum(1), torch.ones(64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_mixup_of_a_table_interpolates_between_two_rows(dtype):
    features = torch.randn(50, 3)
    targets = (features @ torch.tensor([[1.0], [2.0], [-1.0]])).to(dtype)
    targets = targets if dtype == torch.float32 else torch.arange(50) % 2
    after, mixed = mixup(features, targets, classes=2, alpha=0.4)
    if dtype == torch.float32:  # a linear function of the features stays one
        assert torch.allclose(mixed, after @ torch.tensor([[1.0], [2.0], [-1.0]]), atol=1e-5)
    assert mixed.shape == ((50, 1) if dtype == torch.float32 else (50, 2))


def test_cutmix_of_a_regression_weights_targets_by_area():
    white = torch.tensor([0.0, 1.0]).repeat(32)
    images = (255 * white).byte().view(-1, 1, 1, 1).expand(-1, 1, 10, 10)
    after, values = cutmix(images, white[:, None], classes=0, alpha=1.0)
    assert torch.allclose(values[:, 0], after.float().mean((1, 2, 3)) / 255, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.01, 0.2, 1.0, 8.0])
def test_mixing_weights_have_the_moments_of_the_beta_distribution(alpha):
    drawn = shares(torch.zeros(20_000, 1), alpha)
    assert ((drawn >= 0) & (drawn <= 1)).all()
    assert drawn.mean() == pytest.approx(0.5, abs=0.015)
    assert drawn.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)


def test_every_example_has_its_own_mixing_weight():
    inputs = torch.eye(64)
    after, _ = mixup(inputs, torch.arange(64), classes=64, alpha=1.0)
    assert len({round(value, 5) for value in after.diagonal().tolist()}) > 50


def test_a_rectangle_has_the_shape_of_the_image_and_the_given_area():
    blank = torch.zeros(500, 1, 40, 80)
    covered = rectangles(blank, torch.full((500,), 0.25))
    areas = covered.float().mean((1, 2, 3))
    assert areas.max() == 0.25
    assert areas.min() >= 0.25 / 4  # centred on a corner
    whole = covered[areas == 0.25, 0]
    assert (whole.any(2).sum(1) == 20).all()
    assert (whole.any(1).sum(1) == 40).all()
    assert not rectangles(blank, torch.zeros(500)).any()
