"""Warm-up before any schedule."""

from collections.abc import Callable

START = 0.01  # the first factor


def warmup(
    schedule: Callable[[float, float, list[float]], float], epochs: float
) -> Callable[[float, float, list[float]], float]:
    """Prepend a linear increase from 1 % to the full rate over ``epochs`` epochs to a schedule.

    The schedule then runs over the remaining epochs. For 0 epochs the schedule itself is returned.

    Reference: Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017,
    section 2.2.
    """
    if epochs == 0:
        return schedule

    def warmed_up(epoch: float, max_epochs: float, scores: list[float]) -> float:
        ramp = min(1.0, START + (1 - START) * epoch / epochs)
        return ramp * schedule(max(0.0, epoch - epochs), max_epochs - epochs, scores)

    return warmed_up
