"""The values of a key and their means: the numbers behind the plots."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dlcourse.report.confidence import Estimate, estimate
from dlcourse.report.formatting import finite_number, option_text
from dlcourse.report.points import Point, overlap
from dlcourse.schema.facts import range_of

RATE = "optim.lr"
MAX_AVERAGED_NUMBERS = 8
"""With more numbers, most of which occur once, every point is drawn separately."""


@dataclass(frozen=True)
class Level:
    """One value of a key, the points that have it, and their mean over the repeats."""

    name: str
    number: float | None
    points: tuple[Point, ...]
    spread: Estimate


@dataclass(frozen=True)
class Scale:
    """The values of a key in their order: numbers by size, others by appearance."""

    key: str
    levels: tuple[Level, ...]

    @cached_property
    def numeric(self) -> bool:
        """Whether all values are numbers."""
        return all(level.number is not None for level in self.levels)

    @cached_property
    def log(self) -> bool:
        """Whether the axis is logarithmic: learning rates, and numbers of very different size.

        That is positive numbers that differ by more than a factor of 20; 0 may be among them.
        """
        positive = [level.number for level in self.levels if level.number] if self.numeric else []
        if not positive or min(positive) < 0:
            return False
        return max(positive) > (1 if self.key == RATE else 20) * min(positive)

    @cached_property
    def zero(self) -> float | None:
        """The position of 0 on a logarithmic axis, left of the others; None if it is not there."""
        if not self.log or self.levels[0].number != 0:
            return None
        positive = [level.number for level in self.levels if level.number]
        steps = max(len(positive) - 1, 1)
        step = max((positive[-1] / positive[0]) ** (1 / steps), 3)
        return positive[0] / step

    @cached_property
    def drawn(self) -> bool:
        """Whether the values look drawn at random: many numbers, hardly one of them twice."""
        points = sum(len(level.points) for level in self.levels)
        return self.numeric and len(self.levels) > max(MAX_AVERAGED_NUMBERS, points / 2)

    @cached_property
    def effect(self) -> float:
        """The range of the values' means; for values drawn at random, of the means of quarters."""
        means = [level.spread.mean for level in self.levels]
        if self.drawn:
            quarter = -(-len(means) // 4)
            means = [estimate(means[i : i + quarter]).mean for i in range(0, len(means), quarter)]
        return max(means) - min(means)

    def at(self, level: Level) -> float:
        """Return the position of a value on the axis."""
        if not self.numeric:
            return float(self.levels.index(level))
        assert level.number is not None  # as for all levels of a numeric scale
        return self.zero if level.number == 0 and self.zero is not None else level.number


def scale_of(points: Sequence[Point], key: str) -> Scale:
    """Return the scale of a key: its values with their points. Points without it are left out."""
    groups: dict[str, list[Point]] = {}
    for point in points:
        if key in point.values:
            groups.setdefault(option_text(point, key), []).append(point)
    levels = [
        Level(name, finite_number(some[0].values[key]), tuple(some), marginal(some))
        for name, some in groups.items()
    ]
    numbered = [(level.number, level) for level in levels if level.number is not None]
    if len(numbered) == len(levels):
        levels = [level for _, level in sorted(numbered, key=lambda pair: pair[0])]
    return Scale(key, tuple(levels))


def marginal(points: Sequence[Point]) -> Estimate:
    """Return the mean over points, with its spread over the repeats that they have in common.

    The points are averaged within each repeat, so that their differences do not widen the interval.
    """
    common = set.intersection(*({repeat.pair for repeat in point.repeats} for point in points))
    shared = [[r for r in point.repeats if r.pair in common] for point in points]
    if not common or len({len(some) for some in shared}) > 1:
        return Estimate(1, estimate([point.val.mean for point in points]).mean)
    limits = range_of(points[0].monitor)
    by_pair: dict[tuple, list[float]] = {}
    for repeat in (repeat for some in shared for repeat in some):
        by_pair.setdefault(repeat.pair, []).append(repeat.val)
    means = [estimate(values).mean for values in by_pair.values()]
    return estimate(means, overlap(shared[0]), limits)


def usable(points: Sequence[Point]) -> list[Point]:
    """Return the points whose mean is finite, each set of runs once."""
    finite = [point for point in points if math.isfinite(point.val.mean)]
    return list({tuple(run.folder for run in point.runs): point for point in finite}.values())


def diverged_points(points: Sequence[Point]) -> list[Point]:
    """Return the points without a finite mean because training has diverged."""
    lost = [p for p in points if not math.isfinite(p.val.mean) and any(r.diverged for r in p.runs)]
    return list({tuple(run.folder for run in point.runs): point for point in lost}.values())


def around_base(points: Sequence[Point], key: str, keys: Sequence[str]) -> list[Point]:
    """Return the points on which a key's values are compared.

    If every point differs from a base point in at most one key (``sweep=one_at_a_time``), these
    are the base and the points that differ from it in this key: all others have the base's value,
    and would only change the mean of that value. Otherwise they are all points.
    """
    texts = [tuple(option_text(point, one) for one in keys) for point in points]

    def differing(own: tuple[str, ...], base: tuple[str, ...]) -> list[str]:
        pairs = zip(keys, own, base, strict=True)
        return [one for one, value, of_base in pairs if value != of_base]

    for base in texts:
        # a grid ends here at one of the first points: comparing all pairs of 1,000 takes 3 s
        if all(len(differing(own, base)) <= 1 for own in texts):
            parts = zip(points, texts, strict=True)
            return [point for point, own in parts if differing(own, base) in ([], [key])]
    return list(points)


def scales(points: Sequence[Point], keys: Sequence[str]) -> list[Scale]:
    """Return the keys with two values or more, the one with the largest effect first."""
    found = [scale_of(around_base(points, key, keys), key) for key in keys]
    return sorted((one for one in found if len(one.levels) > 1), key=lambda one: -one.effect)
