"""The handwritten digits that come with scikit-learn."""

from functools import partial
from pathlib import Path
from typing import Any

import torch

from dlcourse.core import Dataset, Split
from dlcourse.data.cache import IMAGES_KEY, cached
from dlcourse.data.cache_content import part_misfit
from dlcourse.data.image import convert
from dlcourse.data.test_split import split_off_test

TEST_EXAMPLES = 360  # a fifth of the 1,797


def digits(*, root: Path, seed: int, size: int, channels: int) -> Dataset:
    """Return 1,437 training and 360 test images (N, channels, size, size) of handwritten digits.

    The set has no test part of its own: always the same fifth of every class is used.

    Reference: Alpaydin, Kaynak, "Optical recognition of handwritten digits", UCI repository, 1998;
    scikit-learn includes the test part of that collection.
    """
    content = cached(root, "digits", _read, misfit=partial(part_misfit, classes=10))
    everything = Split(convert(content[IMAGES_KEY], size, channels), content["targets"])
    train, test = split_off_test(everything, TEST_EXAMPLES, seed, classes=True)
    return Dataset(
        name="digits", train=train, test=test, classes=tuple("0123456789"), verified=True
    )


def _read() -> dict:
    from sklearn.datasets import load_digits  # 0.7 s; imported only without a cache

    source: Any = load_digits()
    grey = torch.from_numpy(source.images)  # (1797, 8, 8), 0 to 16
    return {
        IMAGES_KEY: (grey * 255 / 16).round().byte().unsqueeze(1),
        "targets": torch.from_numpy(source.target).long(),
    }
