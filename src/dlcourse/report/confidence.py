"""Means, standard deviations, confidence intervals and paired tests of a few repeats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

LEVEL = 0.95
MIN_REPEATS = 4  # with fewer repeats the values are shown instead of an interval
Limits = tuple[float | None, float | None]


@dataclass(frozen=True)
class Estimate:
    """The number n of repeats, their mean, sample standard deviation and 95 % interval.

    std is None for a single repeat, low and high are None for fewer than four, and all three if a
    value is not finite. values: one of each repeat, in their order.
    """

    n: int
    mean: float
    std: float | None = None
    low: float | None = None
    high: float | None = None
    values: tuple[float, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class PairedTest:
    """A paired t-test: the mean of n differences, and t and p if a test is possible."""

    n: int
    difference: float
    t: float | None = None
    p: float | None = None


def estimate(
    values: Sequence[float], overlap: float = 0.0, limits: Limits = (None, None)
) -> Estimate:
    """Return mean, sample standard deviation and the mean's 95 % interval by Student's t.

    overlap: n_val / n_train if the values are of folds. Their training parts overlap, so the
    variance of the mean is (1/n + n_val/n_train) times that of the values, instead of 1/n.
    limits: the smallest and largest possible value; the interval stays between them.

    Reference: Student, "The probable error of a mean", Biometrika 6(1), 1908. Nadeau, Bengio,
    "Inference for the generalization error", Machine Learning 52, 2003, section 4.3; with folds
    repeated over seeds: Bouckaert, Frank, "Evaluating the replicability of significance tests
    for comparing learning algorithms", PAKDD 2004.
    """
    n, values = len(values), tuple(values)
    if not n or not all(map(math.isfinite, values)):
        return Estimate(n, sum(values) if n == 1 else math.nan, values=values)
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(n, mean, values=values)
    std = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    if n < MIN_REPEATS:
        return Estimate(n, mean, std, values=values)
    from scipy.special import stdtrit

    half = float(stdtrit(n - 1, (1 + LEVEL) / 2)) * standard_error(std, n, overlap)
    return Estimate(n, mean, std, *between(mean, half, values, limits), values)


def between(
    mean: float, half: float, values: Sequence[float], limits: Limits
) -> tuple[float, float]:
    """Return the interval mean - half to mean + half, or one of its kind within the limits.

    With two limits it is Wilson's interval for a proportion, for the number of examples that gives
    the same standard error. With one limit it is the interval of the logarithm of the distance from
    the limit (delta method). The limits are ignored if a value lies outside of them.

    Reference: Wilson, "Probable inference, the law of succession, and statistical inference", JASA
    22, 1927; with an effective number of examples: Korn, Graubard, "Confidence intervals for
    proportions with small expected number of positive counts estimated from survey data", Survey
    Methodology 24, 1998; compared with others by Franco, Little, Louis, Slud, "Comparative study
    of confidence intervals for proportions in complex sample surveys", J. Survey Stat. Methodol.
    7, 2019.
    """
    low, high = (limit if limit is not None else math.nan for limit in limits)
    unlimited = math.isnan(low) and math.isnan(high)
    if unlimited or min(values) < low or max(values) > high:
        return mean - half, mean + half
    if math.isnan(high):
        return low_limited(mean - low, half, low, 1)
    if math.isnan(low):
        near, far = low_limited(high - mean, half, high, -1)
        return far, near
    share, error = (mean - low) / (high - low), half / (high - low)
    variance = share * (1 - share)
    if error == 0 or variance == 0:
        return mean, mean
    weight = error**2 / variance  # t^2 / n of Wilson's formula
    centre = (share + weight / 2) / (1 + weight)
    reach = math.sqrt(weight * variance + weight**2 / 4) / (1 + weight)
    ends = max(0.0, centre - reach), min(1.0, centre + reach)
    return low + (high - low) * ends[0], low + (high - low) * ends[1]


def low_limited(distance: float, half: float, limit: float, sign: int) -> tuple[float, float]:
    """Return the ends of an interval on one side of a limit, the end nearest to it first.

    distance: of the mean from the limit. sign: 1 above the limit, -1 below it.
    """
    if distance == 0 or half == 0:
        return limit + sign * distance, limit + sign * distance
    factor = math.exp(min(half / distance, 700.0))
    return limit + sign * distance / factor, limit + sign * distance * factor


def standard_error(std: float, n: int, overlap: float) -> float:
    """Return the standard deviation of a mean over n repeats."""
    return std * math.sqrt(1 / n + overlap)


def paired_t_test(differences: Sequence[float], overlap: float = 0.0) -> PairedTest:
    """Test whether the mean of paired differences is 0: a two-sided t-test.

    overlap: as for ``estimate``. If all differences are 0, p is 1. There is no test for fewer than
    two differences, or if all are equal and not 0, because they have no variance.
    """
    whole = estimate(differences, overlap)
    if whole.std is None:
        return PairedTest(whole.n, whole.mean)
    if whole.std <= 1e-12 * abs(whole.mean):
        return PairedTest(whole.n, whole.mean, *((0.0, 1.0) if whole.mean == 0 else (None, None)))
    from scipy.special import stdtr

    t = whole.mean / standard_error(whole.std, whole.n, overlap)
    return PairedTest(whole.n, whole.mean, t, float(2 * stdtr(whole.n - 1, -abs(t))))
