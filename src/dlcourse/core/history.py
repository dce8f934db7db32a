"""The history of a run: a record for each epoch, its scores and its best epoch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """The metrics of one epoch: ``{"train/loss": ..., "val/accuracy": ..., "lr": ...}``.

    epoch: counted from 1, so that it is the number of epochs done.
    """

    epoch: int
    metrics: dict[str, float]


def scores(history: Sequence[Record], monitor: str, mode: str) -> list[float]:
    """Return the monitored value of each epoch as a score: larger is better.

    With mode ``min`` the values are negated; NaN becomes minus infinity.
    """
    sign = 1.0 if mode == "max" else -1.0
    values = (sign * record.metrics[monitor] for record in history)
    return [-math.inf if math.isnan(value) else value for value in values]


def best_epoch(history: Sequence[Record], monitor: str, mode: str) -> int:
    """Return the first epoch, counted from 1, with the best monitored value."""
    found = scores(history, monitor, mode)
    return history[found.index(max(found))].epoch
