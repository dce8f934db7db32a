"""Metrics from sums over batches equal scikit-learn's over all examples."""

import json
import math
import warnings

import numpy as np
import pytest
import sklearn.metrics as reference
import torch
from conftest import options
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from dlcourse.metric.accuracy import Accuracy
from dlcourse.metric.auroc import AUROC
from dlcourse.metric.average_precision import CURVE_POINTS, AveragePrecision
from dlcourse.metric.balanced_accuracy import BalancedAccuracy
from dlcourse.metric.calibration import Calibration
from dlcourse.metric.confusion import Confusion
from dlcourse.metric.kappa import Kappa
from dlcourse.metric.mae import MeanAbsoluteError
from dlcourse.metric.mape import MAPE
from dlcourse.metric.matthews import Matthews
from dlcourse.metric.r2 import R2
from dlcourse.metric.rmse import RMSE
from dlcourse.metric.top_k import TopK
from dlcourse.train.meter import Meter, joined_reports


def read(metric, outputs, targets, batch=7):
    meter = Meter([metric])
    for piece, target in zip(outputs.split(batch), targets.split(batch), strict=True):
        meter.add(piece, target, torch.zeros(()))
    return {name.split("/")[1]: value for name, value in meter.read("val").items()}


def test_every_metric_is_tested_here():
    assert set(options("metric")) == {
        "accuracy", "auroc", "average_precision", "balanced_accuracy", "calibration", "confusion",
        "kappa", "mae", "mape", "matthews", "multilabel", "multilabel_average_precision", "noise",
        "r2", "rmse", "top_k",
    }  # fmt: skip


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 60))
def test_accuracy_precision_recall_and_f1_equal_scikit_learns(seed, classes, examples):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(examples, classes, generator=generator)
    targets = torch.randint(classes, (examples,), generator=generator)
    guesses = outputs.argmax(1)
    reported = read(Accuracy(), outputs, targets)
    assert reported["accuracy"] == pytest.approx(reference.accuracy_score(targets, guesses))
    seen = sorted(set(targets.tolist()) | set(guesses.tolist()))
    reported = read(Confusion(), outputs, targets)
    for name, function in (
        ("precision", reference.precision_score),
        ("recall", reference.recall_score),
        ("f1", reference.f1_score),
    ):
        expected = function(targets, guesses, labels=seen, average="macro", zero_division=0)
        assert reported[name] == pytest.approx(expected)


def test_the_counts_of_confusion_are_scikit_learns_confusion_matrix():
    outputs, targets = torch.randn(50, 4), torch.randint(4, (50,))
    meter = Meter([Confusion()])
    meter.add(outputs, targets, torch.zeros(()))
    meter.read("val")
    counts = reference.confusion_matrix(targets, outputs.argmax(1), labels=range(4))
    assert meter.sums[2].tolist() == counts.tolist()


def made_up(seed, classes, examples, digits=None):
    """Return outputs that are often right, rounded to ``digits`` so that some tie, and targets."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(classes, (examples,), generator=generator)
    outputs = torch.randn(examples, classes, generator=generator)
    outputs[range(examples), targets] += 1
    return (outputs if digits is None else outputs.round(decimals=digits)), targets


CASES = (st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 60))


@settings(max_examples=40)
@given(*CASES)
def test_the_metrics_per_class_equal_scikit_learns(seed, classes, examples):
    outputs, targets = made_up(seed, classes, examples)
    details = Confusion().full(outputs, targets)["per_class"]
    theirs = reference.precision_recall_fscore_support(
        targets, outputs.argmax(1), labels=range(classes), zero_division=0
    )
    for name, expected in zip(("precision", "recall", "f1", "support"), theirs, strict=True):
        assert details[name] == pytest.approx(expected.tolist())


@settings(max_examples=40)
@given(*CASES, st.sampled_from([0, 1, None]))
def test_the_exact_average_precision_equals_scikit_learns(seed, classes, examples, digits):
    outputs, targets = made_up(seed, classes, examples, digits)
    probabilities = outputs.double().softmax(1)
    details = AveragePrecision(bins=10).full(outputs, targets)["average_precision"]
    areas = []
    for number in range(classes):
        own = targets == number
        if own.any():
            areas.append(reference.average_precision_score(own, probabilities[:, number]))
            assert details["per_class"][number] == pytest.approx(areas[-1])
        else:
            assert details["per_class"][number] is None
            assert details["curves"][number] is None
    assert details["macro"] == pytest.approx(np.mean(areas))


@settings(max_examples=40)
@given(*CASES, st.sampled_from([2, 7, 1000]))
def test_the_average_precision_of_an_epoch_is_that_of_binned_probabilities(
    seed, classes, examples, bins
):
    outputs, targets = made_up(seed, classes, examples)
    metric = AveragePrecision(bins=bins)
    rounded = metric.bin_of(outputs)
    areas = [
        reference.average_precision_score(targets == number, rounded[:, number])
        for number in set(targets.tolist())
    ]
    value = read(metric, outputs, targets)["average_precision"]
    assert value == pytest.approx(np.mean(areas))


@pytest.mark.parametrize("scale", [0.5, 2, 8])
def test_1000_bins_approximate_the_average_precision_and_10_do_not(scale):
    outputs, targets = made_up(0, 10, 3000)
    outputs = outputs * scale
    exact = AveragePrecision(bins=2).full(outputs, targets)["average_precision"]["macro"]
    fine, coarse = (
        read(AveragePrecision(bins=bins), outputs, targets, 512)["average_precision"]
        for bins in (1000, 10)
    )
    assert abs(fine - exact) < 0.003
    assert abs(coarse - exact) > 0.006


def test_the_bin_grows_with_the_probability():
    probabilities = torch.linspace(0.001, 0.999, 500).double()
    outputs = torch.stack([probabilities.log(), (1 - probabilities).log()], dim=1)
    bins = AveragePrecision(bins=100).bin_of(outputs)[:, 0]
    assert (bins.diff() >= 0).all()
    assert bins[0] < 20
    assert bins[-1] > 80


@pytest.mark.parametrize("examples", [50, 3000])
def test_a_precision_recall_curve_has_only_points_of_scikit_learns_curve(examples):
    outputs, targets = made_up(1, 3, examples)
    details = AveragePrecision(bins=10).full(outputs, targets)["average_precision"]
    probabilities = outputs.double().softmax(1)
    for number, curve in enumerate(details["curves"]):
        precision, recall, _ = reference.precision_recall_curve(
            targets == number, probabilities[:, number]
        )
        points = set(zip(recall.round(4), precision.round(4), strict=True))
        ours = list(zip(curve["recall"], curve["precision"], strict=True))
        assert set(ours) <= points
        assert curve["recall"][-1] == 1
        assert len(ours) == min(CURVE_POINTS, int((targets == number).sum()))


@settings(max_examples=40)
@given(*CASES, st.sampled_from([2, 10, 15]))
def test_calibration_equals_scikit_learns(seed, classes, examples, bins):
    outputs, targets = made_up(seed, classes, examples)
    probabilities = outputs.double().softmax(1).numpy()
    confidence = probabilities.max(1)
    hits = (probabilities.argmax(1) == targets.numpy()).astype(float)
    accuracy, mean = calibration_curve(hits, confidence, n_bins=bins, pos_label=1)
    table = Calibration(bins=bins).full(outputs, targets)["calibration"]
    assert [a for a in table["accuracy"] if a is not None] == pytest.approx(accuracy.tolist())
    assert [c for c in table["confidence"] if c is not None] == pytest.approx(mean.tolist())
    assert sum(table["count"]) == examples
    count = np.array([examples for examples in table["count"] if examples])
    reported = read(Calibration(bins=bins), outputs, targets)
    assert reported["ece"] == pytest.approx(np.abs(accuracy - mean) @ count / examples)
    assert reported["mce"] == pytest.approx(np.abs(accuracy - mean).max())
    truth = np.eye(classes)[targets.numpy()]
    brier = sum(
        np.mean((probabilities[:, number] - truth[:, number]) ** 2) for number in range(classes)
    )
    assert reported["brier"] == pytest.approx(brier)


def test_the_brier_score_of_two_classes_is_twice_scikit_learns():
    outputs, targets = made_up(0, 2, 50)
    theirs = reference.brier_score_loss(targets, outputs.double().softmax(1)[:, 1])
    assert read(Calibration(bins=5), outputs, targets)["brier"] == pytest.approx(2 * theirs)


def test_the_calibration_error_is_small_for_a_calibrated_and_large_for_an_overconfident_model():
    outputs = 2 * torch.randn(20_000, 5)
    targets = torch.multinomial(outputs.softmax(1), 1)[:, 0]  # drawn with the model's probabilities
    calibrated, overconfident = (
        read(Calibration(bins=15), scale * outputs, targets, 512) for scale in (1, 4)
    )
    assert calibrated["ece"] < 0.015
    assert overconfident["ece"] > 0.15
    assert calibrated["brier"] < overconfident["brier"]


@pytest.mark.parametrize(
    "metric",
    [Accuracy(), TopK(k=2), Confusion(), AveragePrecision(bins=20), Calibration(bins=15)],
    ids=lambda metric: type(metric).__name__,
)
class TestEveryClassMetric:
    def test_a_mixed_target_counts_as_its_largest_class(self, metric):
        outputs, targets = made_up(0, 4, 40)
        mixed = 0.7 * torch.eye(4)[targets] + 0.3 * torch.eye(4)[targets.roll(1)]
        assert read(metric, outputs, mixed) == read(metric, outputs, targets)
        assert torch.equal(metric.measure(outputs, mixed), metric.measure(outputs, targets))
        assert read(metric, outputs, targets.roll(1)) != read(metric, outputs, targets)

    def test_the_value_is_independent_of_the_batch_size(self, metric):
        outputs, targets = made_up(0, 4, 40)
        whole = read(metric, outputs, targets, 40)
        assert read(metric, outputs, targets, 7) == pytest.approx(whole)

    def test_nan_and_infinite_outputs_raise_no_error(self, metric):
        outputs, targets = made_up(0, 4, 40)
        outputs[3], outputs[5, 1] = float("nan"), float("inf")
        assert read(metric, outputs, targets)

    def test_the_full_result_can_be_written_as_json(self, metric):
        outputs, targets = made_up(0, 4, 3)  # some classes and bins are empty
        details = metric.full(outputs, targets)
        assert json.loads(json.dumps(details, allow_nan=False)) == details


@pytest.mark.parametrize("k", [1, 2, 4, 9])
def test_top_k_equals_scikit_learns(k):
    outputs, targets = torch.randn(50, 6), torch.randint(6, (50,))
    if k < 6:
        expected = reference.top_k_accuracy_score(targets, outputs, k=k, labels=range(6))
    else:
        expected = 1.0  # k is larger than the number of classes
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


def test_r2_of_a_constant_target_is_1_if_exact_and_0_otherwise():
    constant = torch.full((5, 1), 3.0)
    assert read(R2(), constant, constant)["r2"] == 1
    assert read(R2(), constant + 1, constant)["r2"] == 0


def test_the_loss_is_the_mean_over_examples():
    meter = Meter([])
    meter.add(torch.zeros(3, 2), torch.zeros(3), torch.tensor(1.0))
    meter.add(torch.zeros(1, 2), torch.zeros(1), torch.tensor(5.0))
    assert meter.read("train") == {"train/loss": 2.0}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(2, 60))
def test_balanced_accuracy_kappa_and_matthews_equal_scikit_learns(seed, classes, examples):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(examples, classes, generator=generator)
    targets = torch.randint(classes, (examples,), generator=generator)
    guesses = outputs.argmax(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that do not occur
        balanced = reference.balanced_accuracy_score(targets, guesses)
        kappa = reference.cohen_kappa_score(targets, guesses)
        matthews = reference.matthews_corrcoef(targets, guesses)
    found = read(BalancedAccuracy(), outputs, targets)["balanced_accuracy"]
    assert found == pytest.approx(balanced)
    expected = 0.0 if math.isnan(kappa) else kappa  # a single class: undefined
    assert read(Kappa(), outputs, targets)["kappa"] == pytest.approx(expected)
    assert read(Matthews(), outputs, targets)["matthews"] == pytest.approx(matthews)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.booleans())
def test_the_final_auroc_is_scikit_learns_and_that_of_an_epoch_is_nearly(seed, classes, ties):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(120, classes, generator=generator)
    outputs = outputs.round() if ties else outputs
    targets = torch.cat([torch.arange(classes), torch.randint(classes, (120 - classes,))])
    probabilities = outputs.double().softmax(1).numpy()
    exact = (
        reference.roc_auc_score(targets, probabilities[:, 1])
        if classes == 2
        else reference.roc_auc_score(targets, probabilities, multi_class="ovr")
    )
    metric = AUROC(bins=1000)
    report = metric.full(outputs, targets)["auroc"]
    assert report["macro"] == pytest.approx(exact)
    assert read(metric, outputs, targets)["auroc"] == pytest.approx(exact, abs=5e-3)
    assert len(report["per_class"]) == classes


def test_a_single_class_has_no_auroc_and_guessing_is_one_half():
    outputs, targets = torch.randn(6, 2), torch.zeros(6, dtype=torch.int64)
    assert AUROC(bins=10).full(outputs, targets) == {
        "auroc": {"macro": None, "per_class": [None, None]}
    }
    assert read(AUROC(bins=10), outputs, targets)["auroc"] == 0.5
    assert read(AUROC(bins=10), torch.zeros(6, 2), torch.arange(6) % 2)["auroc"] == 0.5


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(2, 40))
def test_metrics_of_values_equal_scikit_learns_for_each_output_too(seed, size, examples):
    generator = torch.Generator().manual_seed(seed)
    outputs, targets = torch.randn(2, examples, size, generator=generator).double()
    assert read(MeanAbsoluteError(), outputs, targets)["mae"] == pytest.approx(
        reference.mean_absolute_error(targets, outputs)
    )
    assert read(MAPE(), outputs, targets)["mape"] == pytest.approx(
        reference.mean_absolute_percentage_error(targets, outputs)
    )
    full: dict = {}
    for metric in (RMSE(), R2(), MeanAbsoluteError()):
        full = joined_reports(full, metric.full(outputs, targets))
    if size == 1:
        assert full == {}
        return
    raw = {"multioutput": "raw_values"}
    for name, function in (
        ("rmse", reference.root_mean_squared_error),
        ("r2", reference.r2_score),
        ("mae", reference.mean_absolute_error),
        ("median_absolute_error", reference.median_absolute_error),
    ):
        expected = function(targets, outputs, **raw)
        assert full["per_output"][name] == pytest.approx(expected.tolist()), name
