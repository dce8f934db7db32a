"""The losses are their formulas, to the digits that the course prints."""

import math

import numpy as np
import pytest
import torch
from conftest import options

from dlcourse.build import build


def loss_of(compose, name, outputs, targets, *more):
    return build(compose(f"loss={name}", *more).loss)(outputs, targets).item()


def test_every_loss_is_tested_here():
    assert set(options("loss")) == {"cross_entropy", "mse", "hinge"}


def test_softmax_and_its_loss_are_those_of_the_course(compose):
    outputs = torch.tensor([[14.0, 11.0, 16.0]])
    assert [round(p, 4) for p in outputs.softmax(1)[0].tolist()] == [0.1185, 0.0059, 0.8756]
    assert loss_of(compose, "cross_entropy", outputs, torch.tensor([2])) == pytest.approx(
        0.1328, abs=5e-5
    )


def test_cross_entropy_is_its_formula(compose):
    outputs, targets = torch.randn(5, 4).double(), torch.tensor([0, 3, 1, 1, 2])
    f = outputs.numpy()
    log_p = f - np.log(np.exp(f).sum(1, keepdims=True))
    plain = -log_p[range(5), targets].mean()
    assert loss_of(compose, "cross_entropy", outputs, targets) == pytest.approx(plain)
    smooth = 0.9 * plain + 0.1 * -log_p.mean()
    smoothed = loss_of(compose, "cross_entropy", outputs, targets, "loss.label_smoothing=0.1")
    assert smoothed == pytest.approx(smooth)


def test_hinge_sums_over_wrong_classes_and_averages_over_examples(compose):
    outputs, targets = torch.randn(6, 4).double(), torch.tensor([0, 3, 1, 1, 2, 0])
    for margin in (1.0, 0.5):
        total = 0.0
        for f, y in zip(outputs.tolist(), targets.tolist(), strict=True):
            total += sum(max(0, f[j] - f[y] + margin) for j in range(4) if j != y)
        value = loss_of(compose, "hinge", outputs, targets, f"loss.margin={margin}")
        assert value == pytest.approx(total / 6)
        theirs = torch.nn.MultiMarginLoss(margin=margin)(outputs, targets).item()
        assert value == pytest.approx(4 * theirs)


def test_mse_of_values_is_the_mean_over_examples_and_outputs(compose):
    outputs, targets = torch.randn(5, 2).double(), torch.randn(5, 2).double()
    expected = ((outputs - targets) ** 2).mean().item()
    assert loss_of(compose, "mse", outputs, targets) == pytest.approx(expected)


def test_mse_of_classes_is_taken_against_one_hot_vectors(compose):
    outputs, targets = torch.randn(3, 4).double(), torch.tensor([2, 0, 3])
    expected = ((outputs.numpy() - np.eye(4)[targets]) ** 2).mean()
    assert loss_of(compose, "mse", outputs, targets) == pytest.approx(expected)


def test_the_untrained_loss_of_ten_classes_is_the_log_of_ten(compose):
    outputs, targets = torch.zeros(4, 10), torch.arange(4)
    assert loss_of(compose, "cross_entropy", outputs, targets) == pytest.approx(math.log(10))
