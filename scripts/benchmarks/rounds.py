"""Turns in a changing order, and what the figures of many rounds come to."""

import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median, quantiles

STEP = ("data", "augment", "prepare", "forward", "backward", "update", "metrics", "other")
AROUND = ("validation", "observers")
"""The phases of a step and those of an epoch besides."""


def take_turns(
    players: Mapping[str, Callable[[int], float]], rounds: int, begin: int = 1
) -> dict[str, list[float]]:
    """Call every player once a round with the round's number; return what each returned.

    Every round begins with another player, and every second one goes backwards.
    """
    names = list(players)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for number in range(begin, begin + rounds):
        first = number % len(names)
        order = names[first:] + names[:first]
        for name in reversed(order) if number % 2 else order:
            figures[name].append(players[name](number))
    return figures


def quartiles(figures: Sequence[float]) -> tuple[float, float]:
    """Return the lower and the upper quartile; of a single figure, itself."""
    if len(figures) < 2:
        return figures[0], figures[0]
    low, _, high = quantiles(figures, n=4, method="inclusive")
    return low, high


def spread(figures: Sequence[float], form: str = ".2f") -> str:
    """Return ``2.31 (2.25 to 2.40)``: the median and the quartiles."""
    low, high = quartiles(figures)
    return f"{median(figures):{form}} ({low:{form}} to {high:{form}})"


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Return the quotients round by round."""
    return [a / b for a, b in zip(over, under, strict=True)]


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown; all columns but the first are aligned to the right."""
    ruler = ["---", *["---:"] * (len(columns) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, ruler, *rows))


def say(text: str) -> None:
    """Tell on stderr how far the measurement is; stdout has the tables alone."""
    print(text, file=sys.stderr, flush=True)
