"""Two interleaved half circles of points."""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import make_moons

from dlcourse.core import Dataset, Split
from dlcourse.random_streams import Purpose, mix


def moons(
    *, root: Path, seed: int, train_examples: int, test_examples: int, noise: float
) -> Dataset:
    """Generate points (N, 2) on two interleaved half circles of radius 1, one class each.

    noise: standard deviation of the Gaussian noise on both coordinates.
    """
    draws = np.random.RandomState(mix(seed, 0, Purpose.MADE_UP) % 2**32)

    def draw(examples: int) -> Split:
        points, classes = make_moons(examples, noise=noise, random_state=draws)
        return Split(torch.from_numpy(points).float(), torch.from_numpy(classes).long())

    return Dataset(
        name="moons",
        train=draw(train_examples),
        test=draw(test_examples),
        classes=("upper", "lower"),
        verified=True,
    )
