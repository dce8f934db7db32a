"""Means, standard deviations, intervals and paired tests of few repeats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

LEVEL = 0.95


@dataclass(frozen=True)
class Spread:
    """What repeats say together: their number, mean, sample standard deviation and interval.

    std, low and high are None for a single repeat and where a figure is not finite.
    """

    n: int
    mean: float
    std: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Paired:
    """A paired t-test: the mean of n differences, and t and p where there is a test."""

    n: int
    difference: float
    t: float | None = None
    p: float | None = None


def spread(figures: Sequence[float], overlap: float = 0.0) -> Spread:
    """Return mean, sample standard deviation and the mean's 95 % interval by Student's t.

    overlap: n_val / n_train where the figures are of folds. Their training parts overlap, so the
    variance of the mean is taken as (1/n + n_val/n_train) of theirs instead of 1/n.

    Reference: Student, "The probable error of a mean", Biometrika 6(1), 1908. Nadeau, Bengio,
    "Inference for the generalization error", Machine Learning 52, 2003, section 4.3; with folds
    repeated over seeds: Bouckaert, Frank, "Evaluating the replicability of significance tests
    for comparing learning algorithms", PAKDD 2004.
    """
    n = len(figures)
    if not n or not all(map(math.isfinite, figures)):
        return Spread(n, sum(figures) if n == 1 else math.nan)
    mean = math.fsum(figures) / n
    if n == 1:
        return Spread(n, mean)
    from scipy.special import stdtrit

    std = math.sqrt(math.fsum((figure - mean) ** 2 for figure in figures) / (n - 1))
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * standard_error(std, n, overlap)
    return Spread(n, mean, std, mean - half, mean + half)


def standard_error(std: float, n: int, overlap: float) -> float:
    """Return the standard deviation of a mean over n repeats."""
    return std * math.sqrt(1 / n + overlap)


def paired(differences: Sequence[float], overlap: float = 0.0) -> Paired:
    """Test whether the mean of paired differences is 0, by Student's t on two sides.

    overlap: as for ``spread``. Where all differences are 0, p is 1; where they are all the same
    and not 0, their spread says nothing and there is no test, as there is none with fewer than 2.
    """
    whole = spread(differences, overlap)
    if whole.std is None:
        return Paired(whole.n, whole.mean)
    if whole.std <= 1e-12 * abs(whole.mean):
        return Paired(whole.n, whole.mean, *((0.0, 1.0) if whole.mean == 0 else (None, None)))
    from scipy.special import stdtr

    t = whole.mean / standard_error(whole.std, whole.n, overlap)
    return Paired(whole.n, whole.mean, t, float(2 * stdtr(whole.n - 1, -abs(t))))
