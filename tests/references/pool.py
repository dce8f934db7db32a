"""Poolings against torch.nn and numpy."""

import numpy as np
import torch
from references.row import Row

from dlcourse.layer.pool import pool_layer

SIZE, STRIDE, PADDING = 3, 2, 1
DRAWS = 200_000


def outputs_of(name: str) -> np.ndarray:
    layer = pool_layer(name, SIZE, STRIDE, PADDING, ceil_mode=True).double().eval()
    return layer(torch.from_numpy(MAPS)).numpy()


def over_windows(maps: np.ndarray, function) -> np.ndarray:
    """Return a function of every window's values inside the maps, one window after another."""
    side = maps.shape[-1]
    starts = range(-PADDING, side, STRIDE)  # ceil_mode: every window that begins inside
    starts = [start for start in starts if start + SIZE < side + PADDING + STRIDE]
    outputs = np.empty((*maps.shape[:2], len(starts), len(starts)))
    for row, top in enumerate(starts):
        for column, left in enumerate(starts):
            rows, columns = slice(max(top, 0), top + SIZE), slice(max(left, 0), left + SIZE)
            values = maps[:, :, rows, columns].reshape(*maps.shape[:2], -1)
            outputs[:, :, row, column] = function(values)
    return outputs


def expected_draw(values: np.ndarray) -> np.ndarray:
    positive = np.maximum(values, 0)
    total = positive.sum(-1)
    return (positive**2).sum(-1) / np.where(total > 0, total, 1)


def from_torch(name: str) -> float:
    theirs = {
        "max": torch.nn.MaxPool2d(SIZE, STRIDE, PADDING, ceil_mode=True),
        "average": torch.nn.AvgPool2d(SIZE, STRIDE, PADDING, True, count_include_pad=False),
    }[name]
    return float(np.abs(outputs_of(name) - theirs(torch.from_numpy(MAPS)).numpy()).max())


def from_numpy(name: str, function) -> float:
    return float(np.abs(outputs_of(name) - over_windows(MAPS, function)).max())


def stochastic(compose) -> float:
    """Compare the mean in evaluation, and how often 1, 2, 3 and 4 are drawn: 1/10 to 4/10."""
    window = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).expand(DRAWS, 1, 2, 2)
    drawn = pool_layer("stochastic", 2).train()(window).flatten().long()
    frequencies = torch.bincount(drawn, minlength=5)[1:].numpy() / DRAWS
    gap = np.abs(frequencies - np.arange(1, 5) / 10).max()
    return max(from_numpy("stochastic", expected_draw), float(gap))


MAPS = np.random.default_rng(0).normal(size=(2, 3, 8, 8))

ROWS = {
    "max": Row("torch.nn.MaxPool2d", lambda compose: from_torch("max"), 0.0),
    "average": Row(
        "torch.nn.AvgPool2d, no padding counted", lambda compose: from_torch("average"), 0.0
    ),
    "sum": Row(
        "numpy, window by window",
        lambda compose: from_numpy("sum", lambda values: values.sum(-1)),
        1e-12,
    ),
    "stochastic": Row(
        "numpy's mean in use; frequencies of 200,000 draws, standard deviation 0.0011",
        stochastic,
        0.005,
    ),
}
