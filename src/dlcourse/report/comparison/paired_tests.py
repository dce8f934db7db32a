"""Tests of two models on the same test examples."""

from typing import TYPE_CHECKING, Any, NamedTuple

from dlcourse.report.confidence import Estimate, estimate

if TYPE_CHECKING:
    import numpy as np

EXACT_BELOW = 25  # examples on which exactly one model is right


class McNemar(NamedTuple):
    """McNemar's test. both, only_a, only_b, neither: numbers of examples that are right.

    p: the probability of a difference at least as large between two models that are equally good.
    statistic: chi-squared with one degree of freedom; None for the exact test.
    """

    both: int
    only_a: int
    only_b: int
    neither: int
    p: float
    statistic: float | None = None

    @property
    def n(self) -> int:
        """The number of test examples."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def discordant(self) -> int:
        """The number of examples on which exactly one model is right."""
        return self.only_a + self.only_b


def mcnemar(right_a: "np.ndarray", right_b: "np.ndarray") -> McNemar:
    """Test whether two classifiers are equally often right on the same examples; two-sided.

    right_a, right_b: (N,) bool. Below 25 examples on which exactly one is right, p is exact, from
    the binomial distribution; from 25 on it is from chi-squared with the correction for continuity.

    Reference: McNemar, "Note on the sampling error of the difference between correlated proportions
    or percentages", Psychometrika 12(2), 1947; the correction: Edwards, Psychometrika 13(3), 1948;
    for classifiers: Dietterich, "Approximate statistical tests for comparing supervised
    classification learning algorithms", Neural Computation 10(7), 1998.
    """
    from scipy.stats import binomtest, chi2

    only_a, only_b = int((right_a & ~right_b).sum()), int((~right_a & right_b).sum())
    counts = int((right_a & right_b).sum()), only_a, only_b, int((~right_a & ~right_b).sum())
    discordant = only_a + only_b
    if discordant < EXACT_BELOW:
        p = binomtest(only_a, discordant).pvalue if discordant else 1.0
        return McNemar(*counts, p=float(p))
    statistic = max(abs(only_a - only_b) - 1, 0) ** 2 / discordant
    return McNemar(*counts, p=float(chi2.sf(statistic, 1)), statistic=statistic)


class PairedErrors(NamedTuple):
    """The absolute errors of two regressions on the same n examples.

    mean_a, mean_b: mean absolute errors. difference: the mean of error B - error A, with its 95 %
    interval. p: of Wilcoxon's signed-rank test. better: the model, ``A`` or ``B``, that this test
    favours. closer_a, closer_b: numbers of examples on which the error of one is smaller.
    """

    n: int
    mean_a: float
    mean_b: float
    difference: Estimate
    p: float
    better: str
    closer_a: int
    closer_b: int


def compare_errors(error_a: "np.ndarray", error_b: "np.ndarray") -> PairedErrors:
    """Compare the absolute errors (N,) of two models on the same examples.

    The interval is Student's for paired differences, p that of the two-sided signed-rank test.

    Reference: Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1(6),
    1945; Student, "The probable error of a mean", Biometrika 6(1), 1908.
    """
    import numpy as np
    from scipy.stats import rankdata, wilcoxon

    differences = error_b - error_a
    nonzero = differences[differences != 0]
    favours_a = float((rankdata(np.abs(nonzero)) * np.sign(nonzero)).sum()) > 0
    tested: Any = wilcoxon(nonzero) if len(nonzero) else None
    return PairedErrors(
        len(differences),
        float(error_a.mean()),
        float(error_b.mean()),
        estimate(differences.tolist()),
        1.0 if tested is None else float(tested.pvalue),
        "A" if favours_a else "B",
        int((differences > 0).sum()),
        int((differences < 0).sum()),
    )
