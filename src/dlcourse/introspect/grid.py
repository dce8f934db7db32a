"""Predictions of a model over a line of one input and over a plane of two."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.core import Recipe, Standardize, at_least_float32

Predict = Callable[[Tensor], Tensor]
"""Raw inputs (N, ...) -> outputs (N, K) on the CPU, without gradients."""

PLANE_SIDE = 128  # points of a grid's side: 128 x 128 are 32 batches of 512
LINE_POINTS = 512
PREDICTION_BATCH = 512  # as in evaluation, so that a compiled model sees no new shape
GRID_MARGIN = 0.1  # around the data, as a share of their range


def predictor(model: nn.Module, standardize: Standardize, recipe: Recipe) -> Predict:
    """Return the function from raw inputs (N, ...) to a model's outputs (N, K), in float32 or 64.

    The model's layers are in evaluation mode during a call, and afterwards as before. Nothing of
    the model changes: no buffer, no gradient.
    """
    device = standardize.mean.device

    @torch.no_grad()
    def predict(inputs: Tensor) -> Tensor:
        modes = [(layer, layer.training) for layer in model.modules()]
        model.eval()
        try:
            outputs = []
            for batch in inputs.split(PREDICTION_BATCH):
                with recipe.autocast():
                    made = recipe.predict(model, standardize(batch.to(device)))
                outputs.append(at_least_float32(made).cpu())
            return torch.cat(outputs)
        finally:
            for layer, training in modes:
                layer.training = training

    return predict


def outputs_on_a_plane(
    predict: Predict, inputs: Tensor, side: int = PLANE_SIDE
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return a grid around examples of two features, and a model's outputs at its points.

    inputs: (N, 2) raw examples, which the grid covers with a margin. Returns the values (side,) of
    both features, and the outputs (side, side, K), row by row from the smallest second feature on.
    """
    x, y = (side_of(inputs[:, feature], side) for feature in (0, 1))
    points = torch.cartesian_prod(y, x).flip(1)  # (side^2, 2), x changes fastest
    outputs = predict(points.to(inputs.dtype))
    return (x.numpy(), y.numpy()), outputs.view(side, side, -1).numpy()


def outputs_on_a_line(
    predict: Predict, inputs: Tensor, points: int = LINE_POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """Return evenly spaced values (points,) around examples of one feature (N, 1), and the outputs.

    The outputs are (points, K).
    """
    x = side_of(inputs[:, 0], points)
    return x.numpy(), predict(x[:, None].to(inputs.dtype)).numpy()


def side_of(values: Tensor, points: int) -> Tensor:
    """Return evenly spaced points over the range of values (N,) and a margin, as float64.

    Missing values, NaN, are left out.
    """
    values = values[~values.isnan()]
    low, high = float(values.min()), float(values.max())
    margin = GRID_MARGIN * (high - low) or 1.0
    return torch.linspace(low - margin, high + margin, points, dtype=torch.float64)
