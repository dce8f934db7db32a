"""The noise estimate finds the given noise and maximises the likelihood."""

import math

import pytest
import torch

from dlcourse.metric.noise import Noise


def estimate(outputs, targets, batch=64):
    metric = Noise()
    pieces = zip(outputs.split(batch), targets.split(batch), strict=True)
    total = sum(metric.measure(*piece).double() for piece in pieces)
    return metric.report(total, len(targets))


@pytest.mark.parametrize("values", [1, 3])
def test_the_noise_that_was_put_in_is_found(values):
    means = torch.randn(20_000, values)
    values = estimate(means, means + 0.3 * torch.randn(20_000, values))
    assert values["noise_std"] == pytest.approx(0.3, rel=0.02)
    assert values["beta"] == pytest.approx(1 / 0.3**2, rel=0.04)


def test_no_other_noise_is_more_likely():
    outputs, targets = torch.zeros(100, 2), torch.randn(100, 2) * 1.7
    best = estimate(outputs, targets)["noise_std"]

    def log_likelihood(std):
        return torch.distributions.Normal(outputs, std).log_prob(targets).sum()

    for other in (0.9 * best, 1.1 * best):
        assert log_likelihood(best) > log_likelihood(other)


def test_targets_that_are_met_exactly_have_no_noise():
    exact = torch.ones(5, 1)
    assert estimate(exact, exact) == {"noise_std": 0.0, "beta": math.inf}
