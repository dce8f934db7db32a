"""The methods of scikit-learn that networks are compared with, and their options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dlcourse.schema.bounds import positive, whole_number
from dlcourse.schema.kinds import Number


@dataclass(frozen=True)
class Method:
    """A method: what it is, its options, and the estimator of scikit-learn behind it.

    options: the bounds of each option, whose example is the default. make: takes whether the
    targets are values, the seed and the options, and returns an estimator. growth: the power of the
    number of examples with which the time of fitting grows. lookup: whether the time of a
    prediction grows with the number of training examples as well.
    """

    what: str
    options: Mapping[str, Number]
    make: Callable[..., Any]
    growth: float = 1.0
    lookup: bool = False


def knn_estimator(regression: bool, seed: int, *, neighbors: int) -> Any:
    """Return k nearest neighbours: the class of most of them, or the mean of their values.

    Reference: Cover, Hart, "Nearest neighbor pattern classification", IEEE Transactions on
    Information Theory 13, 1967.
    """
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    return (KNeighborsRegressor if regression else KNeighborsClassifier)(neighbors)


def svm_estimator(regression: bool, seed: int, *, c: float, gamma: float | str) -> Any:
    """Return a support vector machine with an RBF kernel; a regression's targets are standardised.

    c: the weight of the examples on the wrong side of the margin. gamma: of exp(-gamma |x - z|^2),
    or ``scale``: one over the number of inputs times their variance.

    Reference: Cortes, Vapnik, "Support-vector networks", Machine Learning 20, 1995.
    """
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC, SVR

    options: dict[str, Any] = {"C": c, "gamma": gamma, "cache_size": 500}
    if regression:
        return TransformedTargetRegressor(SVR(**options), transformer=StandardScaler())
    return SVC(**options)


def stumps_estimator(regression: bool, seed: int, *, n: int, rate: float) -> Any:
    """Return gradient boosting of trees with one split each; n rounds have a tree for each class.

    Reference: Friedman, "Greedy function approximation: a gradient boosting machine", Annals of
    Statistics 29, 2001.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    make: Any = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    return make(max_depth=1, max_iter=n, learning_rate=rate, early_stopping=False)


def forest_estimator(regression: bool, seed: int, *, n: int) -> Any:
    """Return a random forest of n trees.

    Reference: Breiman, "Random forests", Machine Learning 45, 2001.
    """
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    make = RandomForestRegressor if regression else RandomForestClassifier
    return make(n, random_state=seed, n_jobs=-1)


def linear_estimator(regression: bool, seed: int, *, penalty: float) -> Any:
    """Return softmax (logistic) regression, or ridge regression, with an L2 penalty.

    Reference: Cox, "The regression analysis of binary sequences", J. R. Stat. Soc. B 20, 1958;
    Hoerl, Kennard, "Ridge regression", Technometrics 12, 1970.
    """
    from sklearn.linear_model import LogisticRegression, Ridge

    if regression:
        return Ridge(alpha=penalty)
    return LogisticRegression(C=1 / penalty, max_iter=1000, tol=1e-3)


def majority_estimator(regression: bool, seed: int) -> Any:
    """Return what ignores the inputs: the most frequent class, or the mean of the targets."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    return DummyRegressor() if regression else DummyClassifier(strategy="most_frequent")


METHODS = {
    "knn": Method(
        "the k nearest neighbours",
        {"neighbors": whole_number(1, 1_000_000, 5)},
        knn_estimator,
        lookup=True,
    ),
    "svm": Method(
        "support vector machine with an RBF kernel",
        {"c": positive(1, 1e9), "gamma": Number(0, 1e9, "scale", above=True, names=("scale",))},
        svm_estimator,
        growth=2.0,
        lookup=True,
    ),
    "stumps": Method(
        "boosted decision stumps: gradient boosting of trees with one split",
        {"n": whole_number(1, 1_000_000, 100), "rate": positive(0.1, 10)},
        stumps_estimator,
    ),
    "forest": Method(
        "random forest", {"n": whole_number(1, 1_000_000, 100)}, forest_estimator, growth=1.1
    ),
    "linear": Method(
        "softmax (logistic) regression; for values, ridge regression",
        {"penalty": positive(1, 1e9)},
        linear_estimator,
    ),
    "majority": Method(
        "ignores the inputs: the most frequent class, or the mean", {}, majority_estimator
    ),
}
"""The methods by name."""
