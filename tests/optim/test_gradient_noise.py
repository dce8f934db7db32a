"""Noise on the gradients falls with the steps and depends on the seed and the step alone."""

import pytest
import torch
from conftest import prepared, same
from torch import nn

from dlcourse.optim.gradient_noise import NOISY_STEPS, use_gradient_noise
from dlcourse.train.fit import fit


def noisy(seed=0, noise=0.5, decay=0.55, first=0):
    """Return a parameter of zeros, and its optimizer with noise after some steps."""
    weight = nn.Parameter(torch.zeros(20_000))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    use_gradient_noise(optimizer, noise, decay, seed)
    optimizer.param_groups[0][NOISY_STEPS] = first
    return weight, optimizer


def moved(weight, optimizer):
    """Return how far a step with a gradient of zero moves the weights."""
    before = weight.detach().clone()
    weight.grad = torch.zeros_like(weight)
    optimizer.step()
    return weight.detach() - before


@pytest.mark.parametrize("step", [0, 1, 99])
def test_the_variance_falls_as_published(step):
    noise = moved(*noisy(first=step))
    assert noise.std() == pytest.approx(0.5 / (1 + step) ** (0.55 / 2), rel=0.02)
    assert abs(noise.mean()) < 0.01


def test_every_step_and_every_seed_has_its_own_noise():
    weight, optimizer = noisy()
    first, second = moved(weight, optimizer), moved(weight, optimizer)
    assert not torch.equal(first * 2 ** (-0.55 / 2), second)
    assert not torch.equal(first, moved(*noisy(seed=1)))
    torch.testing.assert_close(first, moved(*noisy()), rtol=0, atol=0)
    torch.testing.assert_close(second, moved(*noisy(first=1)), rtol=0, atol=1e-6)


def test_other_random_numbers_stay_as_they_are():
    before = torch.get_rng_state()
    moved(*noisy())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("optim", ["adam", "lion", "sam"])
def test_noise_changes_the_weights_of_a_run_and_the_seed_repeats_them(optim, tiny):
    ends = []
    for noise in (0.1, 0.1, 0):
        state, fold, recipe = prepared(tiny("model=mlp", f"optim={optim}", f"optim.noise={noise}"))
        ends.append(fit(state, fold, recipe).model)
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])
