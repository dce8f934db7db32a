"""Metrics of examples with several classes equal scikit-learn's."""

import math

import pytest
import sklearn.metrics as reference
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_metrics import read

from dlcourse.metric.multilabel import Multilabel
from dlcourse.metric.multilabel_average_precision import MultilabelAveragePrecision


def examples_of(seed, examples, classes):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(examples, classes, generator=generator)
    return outputs, (torch.rand(examples, classes, generator=generator) < 0.3).float()


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(1, 50), st.integers(2, 6), st.sampled_from([0.2, 0.5, 0.9])
)
def test_every_value_equals_scikit_learns(seed, examples, classes, threshold):
    outputs, targets = examples_of(seed, examples, classes)
    found = read(Multilabel(threshold=threshold), outputs, targets)
    own, given_ = targets.int().numpy(), (outputs.sigmoid() >= threshold).int().numpy()
    seen = [n for n in range(classes) if own[:, n].any() or given_[:, n].any()]
    assert found["exact_match"] == pytest.approx(reference.accuracy_score(own, given_))
    assert found["label_accuracy"] == pytest.approx(1 - reference.hamming_loss(own, given_))
    for name, function in (
        ("precision", reference.precision_score),
        ("recall", reference.recall_score),
        ("f1_macro", reference.f1_score),
    ):
        by_class = [function(own[:, n], given_[:, n], zero_division=0) for n in seen]
        assert found[name] == pytest.approx(sum(by_class) / max(len(seen), 1)), name
    micro = reference.f1_score(own.ravel(), given_.ravel(), zero_division=0)
    assert found["f1_micro"] == pytest.approx(micro)
    by_example = [
        1.0 if not (a.any() or b.any()) else reference.f1_score(a, b, zero_division=0)
        for a, b in zip(own, given_, strict=True)
    ]
    assert found["f1_samples"] == pytest.approx(sum(by_example) / examples)


def test_the_final_report_has_the_exact_average_precision_and_counts_of_every_class():
    outputs, targets = examples_of(1, 80, 4)
    targets[:, 3] = 0
    report = Multilabel(threshold=0.5).full(outputs, targets)
    probabilities = outputs.sigmoid().numpy()
    for number in range(3):
        expected = reference.average_precision_score(targets[:, number], probabilities[:, number])
        assert report["average_precision"]["per_class"][number] == pytest.approx(expected)
    assert report["average_precision"]["per_class"][3] is None
    matrices = reference.multilabel_confusion_matrix(targets.int(), (outputs > 0).int())
    assert report["confusion_2x2"] == matrices.tolist()
    assert report["per_class"]["support"] == targets.sum(0).tolist()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_average_precision_of_an_epoch_is_nearly_exact_and_the_final_one_exact(seed):
    outputs, targets = examples_of(seed, 200, 3)
    metric = MultilabelAveragePrecision(bins=1000)
    exact = reference.average_precision_score(targets, outputs.sigmoid(), average="macro")
    assert read(metric, outputs, targets)["average_precision"] == pytest.approx(exact, abs=0.02)
    assert metric.full(outputs, targets)["average_precision"]["macro"] == pytest.approx(exact)


def test_no_example_with_a_class_gives_no_average_precision_and_no_error():
    outputs, targets = torch.randn(5, 3), torch.zeros(5, 3)
    assert Multilabel(threshold=0.5).full(outputs, targets)["average_precision"]["macro"] is None
    assert math.isfinite(read(Multilabel(threshold=0.5), outputs, targets)["f1_samples"])
