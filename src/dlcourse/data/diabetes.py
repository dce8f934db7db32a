"""The diabetes progression data that come with scikit-learn."""

from pathlib import Path
from typing import Any

import torch

from dlcourse.core import Dataset, Split
from dlcourse.data.cache import cached
from dlcourse.data.cache_content import features_misfit
from dlcourse.data.test_split import split_off_test

TEST_EXAMPLES = 89  # a fifth of the 442


def diabetes(*, root: Path, seed: int) -> Dataset:
    """Return 353 training and 89 test patients: ten features (N, 10), disease progression (N, 1).

    The features are age, sex, body mass index, blood pressure and six blood values, each in its
    own unit; the target is the progression of the disease after one year, from 25 to 346. The set
    has no test part of its own: always the same fifth of it is used.

    Reference: Efron, Hastie, Johnstone, Tibshirani, "Least angle regression", Annals of Statistics
    32(2), 2004.
    Departs from scikit-learn's default, which scales the features by statistics of the whole set,
    the test part included; these are the measured values.
    """
    content = cached(root, "diabetes", _read, misfit=features_misfit)
    everything = Split(content["features"], content["targets"])
    train, test = split_off_test(everything, TEST_EXAMPLES, seed, classes=False)
    return Dataset(name="diabetes", train=train, test=test, verified=True)


def _read() -> dict:
    from sklearn.datasets import load_diabetes  # 0.7 s; imported only without a cache

    source: Any = load_diabetes(scaled=False)
    return {
        "features": torch.from_numpy(source.data).float(),
        "targets": torch.from_numpy(source.target).float().unsqueeze(1),
    }
