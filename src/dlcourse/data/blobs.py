"""Gaussian clusters of points."""

from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import make_blobs

from dlcourse.core import Dataset, Split
from dlcourse.errors import UserError
from dlcourse.random_streams import Purpose, mix


def blobs(
    *,
    root: Path,
    seed: int,
    train_examples: int,
    test_examples: int,
    centers: int,
    std: float,
) -> Dataset:
    """Generate points (N, 2) from normal distributions around random centres, one class each.

    centers: the number of centres, drawn uniformly from [-10, 10]^2 and shared by both parts.
    std: standard deviation of every distribution, on both coordinates.

    Raises UserError for fewer training examples than centres.
    """
    if train_examples < centers:
        raise UserError(
            f"data.train_examples={train_examples} leaves some of data.centers={centers} without "
            f"a point.\nType data.train_examples={centers} or more"
        )
    draws = np.random.RandomState(mix(seed, 0, Purpose.MADE_UP) % 2**32)
    places = draws.uniform(-10, 10, (centers, 2))

    def draw(examples: int) -> Split:
        points, classes, *_ = make_blobs(
            examples, centers=places, cluster_std=std, random_state=draws
        )
        return Split(torch.from_numpy(points).float(), torch.from_numpy(classes).long())

    return Dataset(
        name="blobs",
        train=draw(train_examples),
        test=draw(test_examples),
        classes=tuple(map(str, range(centers))),
        verified=True,
    )
