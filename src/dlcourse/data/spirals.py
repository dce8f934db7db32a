"""Interleaved spirals of points."""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.errors import UserError
from dlcourse.permutations import generator
from dlcourse.random_streams import Purpose

OUTER, INNER = 6.5, 0.5  # radii at which an arm begins and ends


def spirals(
    *,
    root: Path,
    seed: int,
    train_examples: int,
    test_examples: int,
    classes: int,
    turns: float,
    noise: float,
) -> Dataset:
    """Generate points (N, 2) on the arms of a spiral, one class each, from radius 6.5 to 0.5.

    The training points are evenly spaced along an arm, the test points uniformly random.

    classes: the number of arms, at even angles to each other.
    turns: the number of turns of each arm around the centre.
    noise: standard deviation of the Gaussian noise on both coordinates.

    Raises UserError for fewer training examples than classes.

    Reference: Lang, Witbrock, "Learning to tell two spirals apart", Connectionist Models Summer
    School, 1988: 97 points on each of two arms of three turns, without noise.
    """
    if train_examples < classes:
        raise UserError(
            f"data.train_examples={train_examples} leaves some of data.classes={classes} without "
            f"a point.\nType data.train_examples={classes} or more"
        )
    draws = generator(seed, Purpose.MADE_UP)

    def evenly(points: int) -> Tensor:
        return torch.linspace(0, 1, points)

    def anywhere(points: int) -> Tensor:
        return torch.rand(points, generator=draws)

    def draw(examples: int, places: Callable[[int], Tensor]) -> Split:
        targets = (torch.arange(examples) * classes).div(examples, rounding_mode="floor")
        way = torch.cat([places(int(count)) for count in torch.bincount(targets)])  # 0 to 1
        radius = OUTER - (OUTER - INNER) * way
        angle = 2 * math.pi * (turns * way + targets / classes)
        points = radius.unsqueeze(1) * torch.stack([angle.sin(), angle.cos()], dim=1)  # (N, 2)
        return Split(points + noise * torch.randn(points.shape, generator=draws), targets)

    return Dataset(
        name="spirals",
        train=draw(train_examples, evenly),
        test=draw(test_examples, anywhere),
        classes=tuple(map(str, range(classes))),
        verified=True,
    )
