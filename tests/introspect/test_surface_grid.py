"""Predictions over a line and a plane leave the model and the random numbers as they are."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import torch
from torch import nn

from dlcourse.core import Standardize
from dlcourse.introspect.grid import outputs_on_a_line, outputs_on_a_plane, predictor

RECIPE = SimpleNamespace(autocast=nullcontext, predict=lambda model, inputs: model(inputs))


def test_a_prediction_changes_no_mode_buffer_gradient_or_random_number():
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    model[1].eval()
    model(torch.randn(8, 2)).sum().backward()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [parameter.grad.clone() for parameter in model.parameters()]
    random = torch.get_rng_state()
    predict = predictor(model, Standardize(torch.zeros(2), torch.ones(2)), RECIPE)
    outputs = predict(torch.randn(600, 2, generator=torch.Generator().manual_seed(0)))
    assert outputs.shape == (600, 2)
    assert not outputs.requires_grad
    assert torch.equal(torch.get_rng_state(), random)
    assert [layer.training for layer in model] == [True, False, True, True]
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    assert all(
        torch.equal(parameter.grad, gradient)
        for parameter, gradient in zip(model.parameters(), gradients, strict=True)
    )


def test_the_grid_covers_the_examples_and_its_rows_are_the_second_feature():
    inputs = torch.tensor([[0.0, 10.0], [1.0, 30.0]])
    (x, y), outputs = outputs_on_a_plane(lambda points: points, inputs, 5)
    assert (x[0], x[-1], y[0], y[-1]) == (-0.1, 1.1, 8.0, 32.0)
    assert np.allclose(outputs[:, :, 0], x[None, :], atol=1e-6)
    assert np.allclose(outputs[:, :, 1], y[:, None], atol=1e-5)
    line, values = outputs_on_a_line(lambda points: 2 * points, inputs[:1, :1], 3)
    assert line.tolist() == [-1, 0, 1]
    assert values[:, 0].tolist() == [-2, 0, 2]
