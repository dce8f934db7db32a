"""Timing several programs in turn, and statistics of the rounds."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median, quantiles

STEP_PHASES = ("data", "augment", "prepare", "forward", "backward", "update", "metrics", "other")
"""The phases of a training step."""
AROUND = ("validation", "observers")
"""The phases of an epoch outside its steps."""


def interleave(
    timers: Mapping[str, Callable[[int], float]], rounds: int, first_round: int = 1
) -> dict[str, list[float]]:
    """Call every timer once per round with the round's number; return the values of each timer.

    Every round starts with another timer, and every second round has the reverse order, so that a
    drift of the machine's speed affects all timers alike.
    """
    names = list(timers)
    values: dict[str, list[float]] = {name: [] for name in names}
    for number in range(first_round, first_round + rounds):
        first = number % len(names)
        order = names[first:] + names[:first]
        for name in reversed(order) if number % 2 else order:
            values[name].append(timers[name](number))
    return values


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the lower and the upper quartile; both are the value if there is only one."""
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return low, high


def median_and_quartiles(values: Sequence[float], form: str = ".2f") -> str:
    """Return ``2.31 (2.25 to 2.40)``: the median and the quartiles."""
    low, high = quartiles(values)
    return f"{median(values):{form}} ({low:{form}} to {high:{form}})"


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return the ratio of two measurements for every round."""
    return [a / b for a, b in zip(over, under, strict=True)]
