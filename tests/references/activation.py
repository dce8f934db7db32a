"""Activations against their formulas, by numpy."""

import math
from functools import partial

import numpy as np
import torch
from references.row import Row

from dlcourse.layer.activation import activation_layer

X = np.linspace(-4, 4, 41)
ERF = np.vectorize(math.erf)
SIGMOID = 1 / (1 + np.exp(-X))
FORMULAS = {  # and their values at X; of two units where odd ones differ
    "identity": ("x", X),
    "heaviside": ("1 where x > 0, else 0", np.where(X > 0, 1.0, 0.0)),
    "sign": ("-1, 0 or 1", np.sign(X)),
    "sigmoid": ("1 / (1 + e^-x)", SIGMOID),
    "tanh": ("tanh x", np.tanh(X)),
    "arctan": ("arctan x", np.arctan(X)),
    "relu": ("max(x, 0)", np.maximum(X, 0)),
    "leaky_relu": ("x, or 0.01 x below 0", np.where(X > 0, X, 0.01 * X)),
    "rrelu": ("x, or (1/8 + 1/3) / 2 x below 0, in use", np.where(X > 0, X, 11 / 48 * X)),
    "prelu": ("x, or 0.25 x below 0, at the start", np.where(X > 0, X, 0.25 * X)),
    "elu": ("x, or e^x - 1 below 0", np.where(X > 0, X, np.exp(X) - 1)),
    "gelu": ("x (1 + erf(x / sqrt 2)) / 2", X * (1 + ERF(X / np.sqrt(2))) / 2),
    "gelu_tanh": (
        "x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2",
        X * (1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3))) / 2,
    ),
    "softplus": ("log(1 + e^x)", np.log(1 + np.exp(X))),
    "softsign": ("x / (1 + |x|)", X / (1 + np.abs(X))),
    "isru": ("x / sqrt(1 + x^2)", X / np.sqrt(1 + X**2)),
    "isrlu": ("x, or x / sqrt(1 + x^2) below 0", np.where(X >= 0, X, X / np.sqrt(1 + X**2))),
    "sqnl": (
        "x - sign(x) x^2 / 4, or sign(x) beyond 2",
        np.where(np.abs(X) > 2, np.sign(X), X - np.sign(X) * X**2 / 4),
    ),
    "bipolar_relu": (
        "max(x, 0) of even units, -max(-x, 0) of odd ones",
        np.stack([np.maximum(X, 0), -np.maximum(-X, 0)], axis=1),
    ),
    "gaussian": ("e^(-x^2)", np.exp(-(X**2))),
    "saturation": ("x clipped to [-1, 1]", np.clip(X, -1, 1)),
    "silu": ("x / (1 + e^-x)", X * SIGMOID),
    "selu": (
        "1.0507 x, or 1.0507 1.6733 (e^x - 1) below 0",
        1.0507009873554805 * np.where(X > 0, X, 1.6732632423543772 * (np.exp(X) - 1)),
    ),
    "maxout": ("the larger of two", np.stack([np.maximum(X, X[::-1]), np.maximum(X, -1)], axis=1)),
}
WITH_NUMBERS = {  # the formulas with other numbers than the default
    "leaky_relu:0.2": ("0.2 x", np.where(X > 0, X, 0.2 * X)),
    "rrelu:0.1:0.3": ("0.2 x in use", np.where(X > 0, X, 0.2 * X)),
    "prelu:0.125": ("x / 8", np.where(X > 0, X, X / 8)),
    "elu:0.3": ("0.3 (e^x - 1)", np.where(X > 0, X, 0.3 * (np.exp(X) - 1))),
    "softplus:2": ("log(1 + e^2x) / 2", np.log(1 + np.exp(2 * X)) / 2),
    "isru:3": ("x / sqrt(1 + 3 x^2)", X / np.sqrt(1 + 3 * X**2)),
    "isrlu:3": ("x / sqrt(1 + 3 x^2)", np.where(X >= 0, X, X / np.sqrt(1 + 3 * X**2))),
    "saturation:2": ("clipped to [-2, 2]", np.clip(X, -2, 2)),
    "maxout:3": (
        "the largest of three",
        np.stack([np.maximum(np.maximum(X, X[::-1]), -1)], axis=1),
    ),
}
INPUTS = {  # of units that need several values, or other ones than X twice
    "maxout": np.stack([X, X, X[::-1], np.full_like(X, -1)], axis=1),  # the pieces of both units
    "maxout:3": np.stack([X, X[::-1], np.full_like(X, -1)], axis=1),
}


def deviation(name: str, compose) -> float:
    """Return the largest difference from the formula, of two units, and from those with numbers."""
    own = {name: FORMULAS[name]}
    own |= {text: row for text, row in WITH_NUMBERS.items() if text.split(":")[0] == name}
    return max(difference(text, values) for text, (_, values) in own.items())


def difference(activation: str, values: np.ndarray) -> float:
    """Return the largest difference of an activation's outputs from the values at X."""
    layer = activation_layer(activation).double().eval()
    inputs = INPUTS.get(activation, np.stack([X, X], axis=1))
    outputs = layer(torch.from_numpy(inputs)).detach().numpy()
    return float(np.abs(outputs - (values if values.ndim == 2 else values[:, None])).max())


ROWS = {
    name: Row(f"numpy: {formula}", partial(deviation, name), 1e-12)
    for name, (formula, _) in FORMULAS.items()
}
