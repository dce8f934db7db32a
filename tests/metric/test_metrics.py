"""The metrics, added up batch by batch, equal scikit-learn's over the whole."""

import pytest
import sklearn.metrics as reference
import torch
from conftest import options
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.metric.accuracy import Accuracy
from dlcourse.metric.confusion import Confusion
from dlcourse.metric.r2 import R2
from dlcourse.metric.rmse import RMSE
from dlcourse.metric.top_k import TopK
from dlcourse.train.meter import Meter


def read(metric, outputs, targets, batch=7):
    meter = Meter([metric])
    for piece, target in zip(outputs.split(batch), targets.split(batch), strict=True):
        meter.add(piece, target, torch.zeros(()))
    return {name.split("/")[1]: figure for name, figure in meter.read("val").items()}


def test_every_metric_is_tested_here():
    assert set(options("metric")) == {"accuracy", "confusion", "r2", "rmse", "top_k"}


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 60))
def test_class_metrics_equal_scikit_learns(seed, classes, examples):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(examples, classes, generator=generator)
    targets = torch.randint(classes, (examples,), generator=generator)
    guesses = outputs.argmax(1)
    figures = read(Accuracy(), outputs, targets)
    assert figures["accuracy"] == pytest.approx(reference.accuracy_score(targets, guesses))
    seen = sorted(set(targets.tolist()) | set(guesses.tolist()))
    figures = read(Confusion(), outputs, targets)
    for name, function in (
        ("precision", reference.precision_score),
        ("recall", reference.recall_score),
        ("f1", reference.f1_score),
    ):
        expected = function(targets, guesses, labels=seen, average="macro", zero_division=0)
        assert figures[name] == pytest.approx(expected)


def test_the_counts_are_the_confusion_matrix():
    outputs, targets = torch.randn(50, 4), torch.randint(4, (50,))
    meter = Meter([Confusion()])
    meter.add(outputs, targets, torch.zeros(()))
    meter.read("val")
    counts = reference.confusion_matrix(targets, outputs.argmax(1), labels=range(4))
    assert meter.sums[1].tolist() == counts.tolist()


@pytest.mark.parametrize("k", [1, 2, 4, 9])
def test_top_k_equals_scikit_learns(k):
    outputs, targets = torch.randn(50, 6), torch.randint(6, (50,))
    if k < 6:
        expected = reference.top_k_accuracy_score(targets, outputs, k=k, labels=range(6))
    else:
        expected = 1.0  # more than there are classes
    assert read(TopK(k=k), outputs, targets)["top_k"] == pytest.approx(expected)


@pytest.mark.parametrize("values", [1, 3])
def test_regression_metrics_equal_scikit_learns(values):
    targets = torch.randn(40, values) * 5 + 100
    outputs = targets + torch.randn(40, values)
    assert read(RMSE(), outputs, targets)["rmse"] == pytest.approx(
        reference.mean_squared_error(targets, outputs) ** 0.5, rel=1e-5
    )
    assert read(R2(), outputs, targets)["r2"] == pytest.approx(
        reference.r2_score(targets, outputs), rel=1e-4
    )


def test_r2_of_a_constant_target_is_one_or_zero():
    constant = torch.full((5, 1), 3.0)
    assert read(R2(), constant, constant)["r2"] == 1
    assert read(R2(), constant + 1, constant)["r2"] == 0


def test_the_loss_is_the_mean_over_examples_and_not_over_batches():
    meter = Meter([])
    meter.add(torch.zeros(3, 2), torch.zeros(3), torch.tensor(1.0))
    meter.add(torch.zeros(1, 2), torch.zeros(1), torch.tensor(5.0))
    assert meter.read("train") == {"train/loss": 2.0}
