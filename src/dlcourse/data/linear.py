"""A linear function with noise."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.permutations import generator
from dlcourse.random_streams import Purpose


def linear(
    *,
    root: Path,
    seed: int,
    train_examples: int,
    test_examples: int,
    weights: Sequence[float],
    bias: float,
    noise: float,
) -> Dataset:
    """Generate standard normal x (N, D) and t (N, 1) = w.x + bias + Gaussian noise.

    weights: w, one number for each of the D inputs.
    noise: standard deviation of the noise, in the test part too: no model can expect a smaller
        RMSE.

    Reference: Bishop, "Pattern Recognition and Machine Learning", 2006, section 3.1.
    """
    draws = generator(seed, Purpose.MADE_UP)
    w = torch.tensor([float(weight) for weight in weights])

    def draw(examples: int) -> Split:
        x = torch.randn(examples, len(w), generator=draws)
        noisy = noise * torch.randn(examples, 1, generator=draws)
        return Split(x, (x @ w + bias).unsqueeze(1) + noisy)

    return Dataset(
        name="linear",
        train=draw(train_examples),
        test=draw(test_examples),
        verified=True,
        truth=partial(linear_function, weights=tuple(map(float, weights)), bias=float(bias)),
    )


def linear_function(x: Tensor, weights: Sequence[float], bias: float) -> Tensor:
    """Return w.x + bias (N, 1) for x (N, D)."""
    return (x @ torch.tensor(weights, dtype=x.dtype, device=x.device) + bias).unsqueeze(1)
