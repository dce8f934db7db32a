"""The noise estimate is the noise of the targets and maximises the likelihood."""

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
def test_the_estimate_is_the_standard_deviation_of_the_added_noise(values):
    means = torch.randn(20_000, values)
    values = estimate(means, means + 0.3 * torch.randn(20_000, values))
    assert values["noise_std"] == pytest.approx(0.3, rel=0.02)
    assert values["beta"] == pytest.approx(1 / 0.3**2, rel=0.04)


def test_the_estimate_maximises_the_likelihood():
    outputs, targets = torch.zeros(100, 2), torch.randn(100, 2) * 1.7
    best = estimate(outputs, targets)["noise_std"]

    def log_likelihood(std):
        return torch.distributions.Normal(outputs, std).log_prob(targets).sum()

    for other in (0.9 * best, 1.1 * best):
        assert log_likelihood(best) > log_likelihood(other)


def test_exact_predictions_give_noise_0():
    exact = torch.ones(5, 1)
    assert estimate(exact, exact) == {"noise_std": 0.0, "beta": math.inf}
