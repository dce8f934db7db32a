"""Nested cross-validation: the honest figure of "we tuned it"."""

import math
from dataclasses import dataclass

from dlcourse.report.confidence import Estimate, estimate
from dlcourse.report.formatting import mean_and_deviation, number_text, point_text
from dlcourse.report.points import Point, Repeat
from dlcourse.report.ranking import rank, signed


@dataclass(frozen=True)
class Outer:
    """What one outer fold has chosen by its inner folds alone.

    inner: the chosen point's mean over the inner folds. test: its models' mean on the outer part.
    ensemble: the figure of their averaged predictions there, if there is one.
    among: how many points were done.
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
        """The outer test figures of what was chosen without them."""
        return estimate([outer.test for outer in self.outers])

    @property
    def ensemble(self) -> Estimate | None:
        """The same of the ensembles of the inner models."""
        figures = [outer.ensemble for outer in self.outers if outer.ensemble is not None]
        return estimate(figures) if len(figures) == len(self.outers) else None

    @property
    def optimism(self) -> float:
        """How much better the best point's own validation figure looks than the honest one."""
        return signed(self.best, self.honest.mean) - signed(self.best, self.best.val.mean)


def nest(points: list[Point]) -> Nested | None:
    """Let every outer fold choose, or return None where there is no outer fold or test figure.

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
    """Choose the point with the best mean over an outer fold's inner folds; of equals the first."""
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
    """Return the mean ensemble figure of a point's runs in an outer fold, or None without one."""
    name = point.monitor.partition("/")[2]
    figures = []
    for run in point.runs:
        if run.result is not None and run.values.get("split.fold") == fold:
            ensemble = run.result.get("ensemble") or {}
            figures.append(ensemble.get(name, ensemble.get(f"test/{name}")))
    known = [each for each in figures if each is not None]
    return estimate(known).mean if known and len(known) == len(figures) else None


def nested_text(nested: Nested, keys: list[str], points: int) -> str:
    """Say what tuning has reached on data that chose nothing, and what each outer fold chose."""
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
