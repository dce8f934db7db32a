"""Normalisations against (x - mean) / sqrt(variance + eps) * scale + shift, by numpy."""

from functools import partial

import numpy as np
import torch
from references.row import Row

from dlcourse.layer.norm import norm_layer

SHAPE = (8, 16, 5, 5)  # examples, channels, rows, columns
GROUPS = 8
OVER = {  # what is averaged over, of maps seen as (N, groups, channels of a group, pixels)
    "batch": (GROUPS * 2, (0, 2, 3)),
    "layer": (1, (1, 2, 3)),
    "instance": (GROUPS * 2, (2, 3)),
    "group": (GROUPS, (2, 3)),
}


def by_hand(name: str, maps: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Return maps (N, C, pixels) normalised in training."""
    groups, axes = OVER[name]
    grouped = maps.reshape(len(maps), groups, -1, maps.shape[-1])
    mean, variance = grouped.mean(axes, keepdims=True), grouped.var(axes, keepdims=True)
    standard = ((grouped - mean) / np.sqrt(variance + 1e-5)).reshape(maps.shape)
    return standard * scale[:, None] + shift[:, None]


def deviation(name: str, compose) -> float:
    """Return the largest difference on images, and on vectors where the norm takes them."""
    random = np.random.default_rng(0)
    scale, shift = random.normal(size=(2, SHAPE[1]))
    largest = 0.0
    for images in (True, False):
        if name == "instance" and not images:
            continue
        maps = random.normal(2, 3, SHAPE if images else SHAPE[:2])
        layer = norm_layer(name, SHAPE[1], images=images).double()
        layer.weight.data, layer.bias.data = torch.from_numpy(scale), torch.from_numpy(shift)
        outputs = layer(torch.from_numpy(maps)).detach().numpy()
        expected = by_hand(name, maps.reshape(*SHAPE[:2], -1), scale, shift).reshape(maps.shape)
        largest = max(largest, float(np.abs(outputs - expected).max()))
    return largest


def unchanged(compose) -> float:
    maps = torch.randn(SHAPE)
    return float((norm_layer("none", SHAPE[1], images=True)(maps) - maps).abs().max())


AVERAGES = {
    "batch": "each channel over the batch",
    "layer": "each example",
    "instance": "each channel of each example",
    "group": "8 groups of channels of each example",
}


def row(name: str, what: str) -> Row:
    text = f"numpy: (x - mean) / sqrt(variance + eps) of {what}"
    return Row(text, partial(deviation, name), 1e-12)


ROWS = {
    "none": Row("the inputs themselves", unchanged, 0.0),
    **{name: row(name, what) for name, what in AVERAGES.items()},
}
