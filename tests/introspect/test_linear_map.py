"""The weights of linear models, in the units of the raw data."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from dlcourse.core import Dataset, Split, Standardize, Whiten
from dlcourse.data.linear import linear
from dlcourse.engine.run import run
from dlcourse.introspect.linear_map import linear_map, linear_weights
from dlcourse.model.kernel import Kernel
from dlcourse.model.linear import Linear
from dlcourse.model.perceptron import Perceptron
from dlcourse.model.polynomial import Polynomial
from dlcourse.runs.messages import weights_lines

MEAN, SCALE = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([2.0, 0.25, 3.0])
WHITENING = torch.tensor([[1.0, 0.2, 0.0], [0.2, 2.0, -0.3], [0.0, -0.3, 0.5]])
INPUTS = torch.randn(20, 3, generator=torch.Generator().manual_seed(1)) + MEAN


def dataset(targets, classes=()):
    part = Split(INPUTS, targets)
    return Dataset("made", part, part, classes)


VALUES, CLASSES = torch.zeros(20, 1), torch.arange(20) % 2


@pytest.mark.parametrize(
    "standardize", [Standardize(MEAN, SCALE), Whiten(MEAN, WHITENING)], ids=["scale", "whiten"]
)
@pytest.mark.parametrize(
    "make",
    [
        lambda: Linear((3,), 2),
        lambda: nn.Sequential(nn.Linear(3, 5), nn.Dropout(0.5), nn.Linear(5, 2)),
        lambda: nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)),
    ],
    ids=["linear", "deep linear", "batch norm"],
)
def test_the_weights_predict_what_the_model_predicts_from_raw_inputs(make, standardize):
    model = make().train()
    found = linear_weights(model, standardize, dataset(torch.zeros(20, 2)))
    expected = model.eval()(standardize(INPUTS)).double()
    assert torch.allclose(INPUTS.double() @ found.weights.T + found.bias, expected, atol=1e-4)
    assert found.terms == ["x1", "x2", "x3"]
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_layers_keep_their_modes():
    model = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5).eval())
    linear_weights(model, Standardize(MEAN, SCALE), dataset(VALUES))
    assert [layer.training for layer in model.modules()] == [True, True, False]


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1)),
        nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)),
        Kernel((3,), 1, width=50, gamma=None),
    ],
    ids=["relu", "tanh", "kernel"],
)
def test_a_model_that_is_not_linear_has_no_weights(model):
    assert linear_weights(model, Standardize(MEAN, SCALE), dataset(VALUES)) is None


def test_a_classifier_of_two_classes_has_the_weights_of_the_difference_of_its_scores():
    model = Perceptron((3,), 2)
    identity = Standardize(torch.zeros(3), torch.ones(3))
    found = linear_weights(model, identity, dataset(CLASSES, ("no", "yes")))
    assert found.outputs == ["yes against no"]
    assert torch.allclose(found.weights.float(), model.output.weight.detach())
    assert torch.allclose(found.bias.float(), model.output.bias.detach())


@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_polynomial_of_several_features_is_linear_in_their_powers(order):
    model, standardize = Polynomial((3,), 2, order=order), Standardize(MEAN, SCALE)
    found = linear_weights(model, standardize, dataset(torch.zeros(20, 2)))
    x = INPUTS.double().numpy()
    columns = [x[:, feature] ** m for feature in range(3) for m in range(1, order + 1)]
    powers = np.stack(columns, 1) if columns else np.zeros((20, 0))
    expected = model(standardize(INPUTS)).detach().double().numpy()
    made = powers @ found.weights.numpy().T + found.bias.numpy()
    assert np.allclose(made, expected, rtol=1e-4, atol=1e-3)
    if order == 3:
        assert found.terms[:4] == ["x1", "x1^2", "x1^3", "x2"]


def test_a_function_that_is_linear_only_near_the_data_is_not_linear():
    assert linear_map(lambda x: x.clamp(-5, 5), torch.ones(2, 3)) is None
    weights, bias = linear_map(lambda x: 2 * x + 1, torch.ones(2, 3))
    assert torch.equal(weights, 2 * torch.eye(3).double())
    assert bias.tolist() == [1, 1, 1]


def test_the_true_weights_of_generated_data_are_known(tmp_path):
    options = {"train_examples": 9, "test_examples": 9, "weights": [2, -3], "bias": 1, "noise": 0.1}
    made = linear(root=tmp_path, seed=0, **options)
    identity = Standardize(torch.zeros(2), torch.ones(2))
    weights, bias = linear_weights(Linear((2,), 1), identity, made).true
    assert (weights.tolist(), bias.tolist()) == ([[2, -3]], [1])


def test_the_weights_are_in_the_result_and_printed_next_to_the_true_ones(compose, tmp_path):
    overrides = ["data=linear", "model=linear", "optim=closed_form", "observe=[]", "runtime=cpu"]
    run(compose(*overrides), tmp_path / "run")
    result = json.loads((tmp_path / "run/result.json").read_text())
    found = result["weights"]
    assert found["w"][0] == pytest.approx([2, -3, 0.5], abs=0.02)
    assert found["true"] == {"w": [[2, -3, 0.5]], "b": [1]}
    lines = weights_lines(result, 80)
    assert lines[0].startswith("w = 2.0") or lines[0].startswith("w = 1.9")
    assert lines[1] == "true: w = 2.00, -3.00, 0.50; b = 1.00"


def test_many_weights_are_shortened_on_the_screen():
    outputs = [str(number) for number in range(12)]
    names = [f"x{number}" for number in range(30)]
    result = {
        "weights": {"terms": names, "outputs": outputs, "w": [[1.0] * 30] * 12, "b": [0] * 12}
    }
    lines = weights_lines(result, 1000)
    assert len(lines) == 11
    assert "(30 weights); b = 0.00" in lines[0]
    assert lines[-1] == "... and 2 more, in result.json"
