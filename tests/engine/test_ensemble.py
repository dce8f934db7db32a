"""Several models that predict as one: the mean of their probabilities."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.engine.ensemble import average
from dlcourse.introspect.classification import as_probabilities

logits = st.integers(0, 2**31).map(
    lambda seed: 3 * torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(seed))
)


@given(logits)
def test_softmax_of_the_outputs_is_the_mean_probability(outputs):
    mean = average(outputs, "softmax", task="classification")
    torch.testing.assert_close(mean.softmax(1), outputs.double().softmax(2).mean(0))
    torch.testing.assert_close(mean.exp().sum(1), torch.ones(5).double())


@given(logits)
def test_sigmoid_of_the_outputs_is_the_mean_probability(outputs):
    mean = average(outputs, "sigmoid", task="classification")
    torch.testing.assert_close(mean.sigmoid(), outputs.double().sigmoid().mean(0))


def test_scores_are_averaged_directly():
    outputs = torch.randn(4, 5, 3)
    torch.testing.assert_close(
        average(outputs, "scores", task="classification"), outputs.double().mean(0)
    )


def test_outputs_of_a_regression_are_averaged_directly_for_every_loss():
    outputs = torch.randn(4, 5, 1)
    torch.testing.assert_close(
        average(outputs, "softmax", task="regression"), outputs.double().mean(0)
    )


def test_the_mean_of_probabilities_is_not_that_of_logits():
    outputs = torch.tensor([[[8.0, 0.0]], [[-2.0, 0.0]], [[-2.0, 0.0]]])
    assert average(outputs, "softmax", task="classification").argmax() == 1
    assert average(outputs, "scores", task="classification").argmax() == 0


def test_outputs_of_very_certain_models_do_not_overflow():
    outputs = torch.tensor([[[1000.0, -1000.0]], [[1000.0, -1000.0]]])
    for kind in ("softmax", "sigmoid"):
        assert average(outputs, kind, task="classification").isfinite().all()


def test_models_that_agree_keep_their_probabilities():
    one = torch.randn(5, 3).double()
    mean = average(one.expand(3, 5, 3), "softmax", task="classification")
    torch.testing.assert_close(mean, one.log_softmax(1))


@given(logits)
def test_several_classes_per_example_are_averaged_as_sigmoids_whatever_the_loss_declares(outputs):
    for kind in ("softmax", "sigmoid"):
        mean = average(outputs, kind, task="multilabel")
        expected = outputs.double().sigmoid().mean(0)
        torch.testing.assert_close(as_probabilities(mean, "multilabel"), expected)
    softmax = as_probabilities(average(outputs, "softmax", task="classification"), "classification")
    assert not torch.allclose(softmax, expected)
