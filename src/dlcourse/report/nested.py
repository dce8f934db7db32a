"""Nested cross-validation: an unbiased estimate of the performance after tuning."""

import math
from dataclasses import dataclass

from dlcourse.report.confidence import Estimate, estimate
from dlcourse.report.formatting import mean_and_deviation, number_text, point_text
from dlcourse.report.points import Point, Repeat
from dlcourse.report.ranking import rank, signed


@dataclass(frozen=True)
class Outer:
    """The point that one outer fold chose by its inner folds alone.

    inner: the chosen point's mean validation metric over the inner folds. test: the mean metric of
    its models on the outer test part. ensemble: the metric of their averaged predictions there, if
    it was computed. among: the number of points that were done.
    """

    fold: int
    chosen: Point
    inner: float
    test: float
    ensemble: float | None
    among: int


@dataclass(frozen=True)
class Nested:
    """The outer folds' choices, and the point that is the best over all of them."""

    outers: tuple[Outer, ...]
    best: Point

    @property
    def honest(self) -> Estimate:
        """The test metric over the outer folds, which were not used to choose a point."""
        return estimate([outer.test for outer in self.outers])

    @property
    def ensemble(self) -> Estimate | None:
        """The same for the ensembles of the inner models."""
        values = [outer.ensemble for outer in self.outers if outer.ensemble is not None]
        return estimate(values) if len(values) == len(self.outers) else None

    @property
    def optimism(self) -> float:
        """How much better the best point's validation metric is than the unbiased estimate."""
        return signed(self.best, self.honest.mean) - signed(self.best, self.best.val.mean)


def nest(points: list[Point]) -> Nested | None:
    """Choose a point in every outer fold; return None without outer folds or test metrics.

    Reference: Varma, Simon, "Bias in error estimation when using cross-validation for model
    selection", BMC Bioinformatics 7:91, 2006. Cawley, Talbot, "On over-fitting in model selection
    and subsequent selection bias in performance evaluation", JMLR 11, 2010.
    """
    repeats = [repeat for point in points for repeat in point.repeats]
    folds = sorted({repeat.outer for repeat in repeats if repeat.outer is not None})
    if not folds or any(repeat.test is None for repeat in repeats):
        return None
    return Nested(tuple(choose(points, fold) for fold in folds), rank(points)[0])


def choose(points: list[Point], fold: int) -> Outer:
    """Choose the point with the best mean over the inner folds of an outer fold.

    Of several equally good points the first is chosen.
    """
    inner = {number: part for number, point in enumerate(points) if (part := inside(point, fold))}
    means = {number: estimate([r.val for r in part]).mean for number, part in inner.items()}
    best = min(means, key=lambda n: (math.isnan(means[n]), signed(points[n], means[n])))
    point = points[best]
    tests = [repeat.test for repeat in inner[best] if repeat.test is not None]
    return Outer(
        fold, point, means[best], estimate(tests).mean, ensemble_of(point, fold), len(inner)
    )


def inside(point: Point, fold: int) -> list[Repeat]:
    """Return a point's repeats within an outer fold."""
    return [repeat for repeat in point.repeats if repeat.outer == fold]


def ensemble_of(point: Point, fold: int) -> float | None:
    """Return the mean ensemble metric of a point's runs in an outer fold, or None without one."""
    name = point.monitor.partition("/")[2]
    values = []
    for run in point.runs:
        if run.result is not None and run.values.get("split.fold") == fold:
            ensemble = run.result.get("ensemble") or {}
            values.append(ensemble.get(name, ensemble.get(f"test/{name}")))
    known = [value for value in values if value is not None]
    return estimate(known).mean if known and len(known) == len(values) else None


def nested_text(nested: Nested, keys: list[str], points: int) -> str:
    """Return the text on the performance after tuning, and on the choice of each outer fold."""
    test = f"test/{nested.best.monitor.partition('/')[2]}"
    lines = [
        f"Nested cross-validation over {len(nested.outers)} outer folds:",
        f"  {test} {mean_and_deviation(nested.honest)}: what the tuning reaches on examples that "
        "had no part in it",
    ]
    if nested.ensemble:
        lines.append(f"  {test} {mean_and_deviation(nested.ensemble)} by each fold's ensemble")
    best = point_text(nested.best, keys)
    own = f"  {nested.best.monitor} {number_text(nested.best.val.mean)} of {best}"
    gap = number_text(abs(nested.optimism))
    if nested.optimism > 0:
        lines.append(f"{own}, chosen for it, looks better by {gap}: the optimism of choosing")
    else:
        lines.append(f"{own}, chosen for it, is not better than that (by {gap} worse)")
    for outer in nested.outers:
        missing = f"; {outer.among} of {points} points done" if outer.among < points else ""
        lines.append(
            f"  outer fold {outer.fold} chose {point_text(outer.chosen, keys)} "
            f"(inner {number_text(outer.inner)}, outer {number_text(outer.test)}{missing})"
        )
    return "\n".join(lines)
