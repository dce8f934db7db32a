"""A sine wave with noise."""

import math
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.permutations import generator
from dlcourse.random_streams import Purpose


def sine(
    *,
    root: Path,
    seed: int,
    train_examples: int,
    test_examples: int,
    spacing: str,
    noise: float,
) -> Dataset:
    """Generate x (N, 1) in [0, 1] and t (N, 1) = sin(2 pi x) + Gaussian noise.

    spacing: ``random`` draws x uniformly from [0, 1); ``even`` spaces x evenly over [0, 1], in
        both parts, as in Bishop's figure 1.2.
    noise: standard deviation of the noise; the same in the test part.

    Reference: Bishop, "Pattern Recognition and Machine Learning", 2006, section 1.1.
    """
    draws = generator(seed, Purpose.MADE_UP)

    def draw(examples: int) -> Split:
        x = torch.rand(examples, 1, generator=draws)
        if spacing == "even":
            x = torch.linspace(0, 1, examples).unsqueeze(1)
        noisy = noise * torch.randn(examples, 1, generator=draws)
        return Split(x, sine_wave(x) + noisy)

    return Dataset(
        name="sine",
        train=draw(train_examples),
        test=draw(test_examples),
        verified=True,
        truth=sine_wave,
    )


def sine_wave(x: Tensor) -> Tensor:
    """Return sin(2 pi x)."""
    return torch.sin(2 * math.pi * x)
