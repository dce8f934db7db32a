"""Warm-up in front of any schedule."""

from collections.abc import Callable

START = 0.01


def warmup(
    schedule: Callable[[float, float, list[float]], float], epochs: float
) -> Callable[[float, float, list[float]], float]:
    """Put a linear climb from 1 % to the full rate, ``epochs`` long, in front of a schedule.

    The schedule begins when the climb ends and has the remaining epochs for its course. With 0
    epochs the schedule itself comes back.

    Reference: Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017,
    section 2.2.
    """
    if epochs == 0:
        return schedule

    def climb_first(epoch: float, max_epochs: float, scores: list[float]) -> float:
        climb = min(1.0, START + (1 - START) * epoch / epochs)
        return climb * schedule(max(0.0, epoch - epochs), max_epochs - epochs, scores)

    return climb_first
