"""Two concentric circles of points."""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import make_circles

from dlcourse.core import Dataset, Split
from dlcourse.random_streams import Purpose, mix


def circles(
    *,
    root: Path,
    seed: int,
    train_examples: int,
    test_examples: int,
    noise: float,
    factor: float,
) -> Dataset:
    """Generate points (N, 2) on a circle of radius 1 and on a smaller one inside, one class each.

    noise: standard deviation of the Gaussian noise on both coordinates.
    factor: radius of the smaller circle, in (0, 1).
    """
    draws = np.random.RandomState(mix(seed, 0, Purpose.MADE_UP) % 2**32)

    def draw(examples: int) -> Split:
        points, classes = make_circles(examples, noise=noise, factor=factor, random_state=draws)
        return Split(torch.from_numpy(points).float(), torch.from_numpy(classes).long())

    return Dataset(
        name="circles",
        train=draw(train_examples),
        test=draw(test_examples),
        classes=("outer", "inner"),
        verified=True,
    )
