"""Streams of random numbers: one for every purpose, each derived from a seed.

Two permutations that are drawn from the same number are the same permutation: label noise and the
validation part once fell on the same examples. So every generator starts from ``mix``, and every
purpose is named here.
"""

import hashlib
from enum import StrEnum, unique

CURRENT = 2  # the version of the streams; ``random_streams`` in the config


@unique
class Purpose(StrEnum):
    """What random numbers are drawn for; in brackets what ``number`` of ``mix`` counts."""

    LAYERS = "layers"  # initial weights, dropout, augmentation by torch (epoch; -1: before all)
    NUMPY = "numpy"  # numpy's global generator during training (epoch)
    PYTHON = "python"  # Python's global generator during training (epoch)
    ORDER = "order"  # the order of the examples in an epoch (epoch; -1: for an initializer)
    FLIPS = "flips"  # which images alternating_flip mirrors in the first epoch
    MADE_UP = "made-up data"  # the examples of moons, blobs, sine ...
    TEST_PART = "test part"  # the test part of a data set without one; from TEST_SEED
    KEPT = "kept examples"  # data.examples
    KEPT_TEST = "kept test examples"  # data.test_examples
    LABELS = "random labels"  # data.random_labels: which are replaced, and by what
    DIVISION = "division"  # into folds, or training and validation part
    REPEAT = "repeat"  # the seed of a later division of repeated_kfold (repeat)
    INNER = "inner"  # the seed of the inner division of nested (outer fold)
    DRAWS = "draws"  # the points of sweep=random
    SAMPLER = "sampler"  # Optuna's proposals (known trials, shifted by machine and folder)
    DIAGNOSTICS = "diagnostics"  # dropout while a network is measured, sharpness (step)
    GRADIENT_NOISE = "gradient noise"  # optim.noise (step)
    SHOWN = "shown"  # the examples of dlcourse show
    EXPORT = "export"  # the inputs of dlcourse export verify=random


ONCE_BARE = frozenset(
    (Purpose.MADE_UP, Purpose.TEST_PART, Purpose.KEPT, Purpose.LABELS, Purpose.DIVISION)
)
"""The purposes whose streams started from the seed itself in version 1."""


class OldSeed(int):
    """A seed that starts the streams of an older version: an older run gets its own data."""

    version: int


def seed_of_version(seed: int, version: int) -> int:
    """Return a seed that starts the streams of a version: a plain integer for those of today."""
    if version == CURRENT:
        return int(seed)
    older = OldSeed(seed)
    older.version = version
    return older


def version_of(seed: int) -> int:
    """Return the version of the streams that a seed starts."""
    return seed.version if isinstance(seed, OldSeed) else CURRENT


def mix(seed: int, number: int, purpose: str) -> int:
    """Return the seed of a stream, in [0, 2^63), different for each number and purpose.

    seed: one of ``seed_of_version`` starts the streams of that version, and so does the number that
        is returned; any other integer starts those of today.
    purpose: one of ``Purpose``, or in your own code any other text.
    """
    if version_of(seed) == 1 and purpose in ONCE_BARE:
        return seed
    digest = hashlib.blake2b(f"{seed}/{number}/{purpose}".encode(), digest_size=8).digest()
    return seed_of_version(int.from_bytes(digest) >> 1, version_of(seed))
