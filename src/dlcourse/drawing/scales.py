"""Round numbers on axes, and labels of curves; imports no plotting library."""

import math
from collections.abc import Sequence


def ticks(low: float, high: float, most: int, *, whole: bool = False) -> list[float]:
    """Return round numbers that span an interval, about ``most`` of them.

    whole: only whole numbers inside the interval.
    """
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(power * one for one in (1, 2, 5, 10, 20) if span / (power * one) <= most)
    if whole:
        step = max(round(step), 1)
        return [tick for tick in around(low, high, step) if low <= tick <= high]
    return around(low, high, step)


def around(low: float, high: float, step: float) -> list[float]:
    """Return the multiples of a step from the last below an interval to the first above it."""
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    return [round(number * step, 12) for number in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Return powers of ten within a positive interval, at most ``most`` of them.

    If there are fewer than two, they are round numbers of the interval itself.
    """
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max(1, math.ceil((last - first + 1) / most))
    powers = [10.0**power for power in range(first, last + 1, step)]
    if len(powers) > 1:
        return powers
    return [tick for tick in ticks(low, high, most) if low <= tick <= high]


def spread_out(heights: Sequence[float], gap: float) -> list[float]:
    """Move positions apart until neighbours differ by ``gap``; their order is kept.

    Positions that are too close are centred on their mean, and stay within 0 to 1 if they fit.
    """

    def start(block: list[int]) -> float:
        middle = sum(heights[number] for number in block) / len(block)
        reach = gap * (len(block) - 1)
        return min(max(middle - reach / 2, 0.0), max(1.0 - reach, 0.0))

    blocks: list[list[int]] = []
    for number in sorted(range(len(heights)), key=lambda number: heights[number]):
        blocks.append([number])
        while len(blocks) > 1 and start(blocks[-2]) + gap * len(blocks[-2]) > start(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    found = {
        number: start(block) + gap * place for block in blocks for place, number in enumerate(block)
    }
    return [found[number] for number in range(len(heights))]


def distinct_labels(names: Sequence[str], longest: int) -> list[str]:
    """Return each name, cut at its end if it is longer than ``longest``.

    Names that are equal after that get their number in front, from 1.
    """
    cut = [name if len(name) <= longest else f"{name[: longest - 1]}…" for name in names]
    return [
        label if cut.count(label) == 1 else f"{number} {label[: longest - 3]}"
        for number, label in enumerate(cut, start=1)
    ]
