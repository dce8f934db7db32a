"""Suggest a learning rate from the losses of a range test."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SMOOTHING_WIDTH = 0.03  # standard deviation of the smoothing, as a share of the planned steps
SMALLEST_FALL = 0.02  # of the loss, relative to its start: with less, nothing is suggested


class Suggestion(NamedTuple):
    """What a range test shows.

    smoothed: (steps,) the losses averaged over neighbouring steps, without delay. steepest: the
    rate at which it falls fastest per factor of the rate. lowest: the rate at which it is smallest.
    Both are None if the loss does not fall. growing: whether it is smallest before the last step.
    """

    smoothed: np.ndarray
    steepest: float | None
    lowest: float | None
    growing: bool

    @property
    def tenth(self) -> float | None:
        """A tenth of the rate at which the loss is smallest."""
        return None if self.lowest is None else self.lowest / 10


def suggested_rates(rates: Sequence[float], losses: Sequence[float], planned: int) -> Suggestion:
    """Return what the losses at growing rates suggest; a last loss that is not finite is ignored.

    planned: the number of steps of the whole test, of which these may be the first.

    Reference: Smith, "A disciplined approach to neural network hyper-parameters", 2018; the two
    rules are those of fastai: the steepest descent, and a tenth of the minimum.
    """
    values = np.array([loss for loss in losses if math.isfinite(loss)])
    if len(values) < 3:
        return Suggestion(values, None, None, growing=True)
    smoothed = gaussian_mean(values, max(1.0, SMOOTHING_WIDTH * planned))
    best = int(smoothed.argmin())
    growing = best < len(smoothed) - 1
    if best < 2 or smoothed[0] - smoothed[best] < SMALLEST_FALL * abs(smoothed[0]):
        return Suggestion(smoothed, None, None, growing)
    slopes = np.gradient(smoothed, np.log(np.array(rates[: len(values)])))
    steepest = int(slopes[: best + 1].argmin())
    return Suggestion(smoothed, float(rates[steepest]), float(rates[best]), growing)


def gaussian_mean(values: np.ndarray, deviation: float) -> np.ndarray:
    """Return each value's mean with its neighbours, by Gaussian weights over their distance."""
    places = np.arange(len(values))
    weights = np.exp(-(((places[:, None] - places) / deviation) ** 2) / 2)
    return weights @ values / weights.sum(1)


def two_digits(rate: float) -> float:
    """Return a rate with two significant digits."""
    return float(f"{rate:.2g}")
