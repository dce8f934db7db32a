"""Fingerprints of data: by them a run recognises the data that it was started with.

A run's fingerprint is ``data.npz`` in its folder. In a user's own data, every example has a digest
of 8 bytes: the hash of its image file, or of its row of numbers. So ``same_data`` can name the
differences, and a test example that was in the training data is recognised. Where the config alone
determines the data (``Dataset.verified``), their shape, the classes and the counts are enough.

Cost, on a core of a busy machine: 6 to 15 ms for a run on digits or MNIST, most of it to flush the
file; 0.13 s for 100,000 rows of a table; 3 s for each GB of images that a user's function returns.
Image files are hashed once, when they are decoded, and the cache stores the digests.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from dlcourse import atomic_files
from dlcourse.core import Dataset, Split
from dlcourse.errors import UserError
from dlcourse.schema.run_files import DATA
from dlcourse.schema.stored_shape import misfit
from dlcourse.schema.untrusted import json_of

ABOUT_SHAPE = {
    "task": str, "classes": [str], "features": [str], "input_shape": [int], "division?": str,
    "train": {"counts": [int], "digest": str}, "test": {"counts": [int], "digest": str},
}  # fmt: skip


class Known(NamedTuple):
    """The fingerprint of one part of a data set, training or test."""

    counts: list[int]  # the number of examples of every class; one number in a regression
    digest: str  # of the whole part
    contents: np.ndarray  # (N,) int64, a digest of every example; (0,) where none is needed
    targets: np.ndarray  # (N,) int64, the classes or digests of the targets; (0,) likewise


class Fingerprint(NamedTuple):
    """The fingerprint of a data set. division: a digest of its division into folds, or ""."""

    task: str
    classes: tuple[str, ...]
    features: tuple[str, ...]
    input_shape: tuple[int, ...]
    train: Known
    test: Known
    division: str = ""


def fingerprint_of(dataset: Dataset) -> Fingerprint:
    """Return the fingerprint of a data set before options such as ``data.examples`` are applied."""
    train, test = (
        part_fingerprint(part, dataset.task, len(dataset.classes), dataset.verified)
        for part in (dataset.train, dataset.test)
    )
    kind = (dataset.task, dataset.classes, dataset.features, dataset.input_shape)
    return Fingerprint(*kind, train, test)


def part_fingerprint(part: Split, task: str, classes: int, verified: bool) -> Known:
    """Return the fingerprint of a part. classes: their number, 0 in a regression."""
    targets = part.targets.cpu()
    counts = [len(targets)]
    if task == "multilabel":
        counts = targets.sum(0).long().tolist()
    elif classes:
        counts = targets.bincount(minlength=classes).tolist()
    none = np.zeros(0, np.int64)
    if verified or (part.contents is None and not isinstance(part.inputs, Tensor)):
        return Known(counts, digest([targets.numpy()] if classes else []), none, none)
    contents = row_digests(part.inputs) if part.contents is None else part.contents.numpy()
    labels = targets.numpy() if task == "classification" else row_digests(targets)
    weights = [] if part.weights is None else [part.weights.numpy()]
    return Known(counts, digest([contents, labels, *weights]), contents, labels)


def row_digests(tensor: Tensor) -> np.ndarray:
    """Return a digest (N,) int64 of every row (N, ...)."""
    flat = np.ascontiguousarray(tensor.cpu().flatten(1).numpy())
    made = b"".join(hashlib.blake2b(row, digest_size=8).digest() for row in flat)
    return np.frombuffer(made, np.int64)


def digest(arrays: Iterable[np.ndarray]) -> str:
    """Return one hash of several arrays, as 32 hexadecimal digits."""
    made = hashlib.blake2b(digest_size=16)
    for array in arrays:
        made.update(f"{array.dtype}{array.shape}".encode())
        made.update(np.ascontiguousarray(array).data)
    return made.hexdigest()


def with_division(dataset: Dataset, parts: Sequence) -> Fingerprint:
    """Return a data set's fingerprint with a digest of its division into folds."""
    positions = [some.numpy() for part in parts for some in part[1:] if some is not None]
    labels = [dataset.train.targets.cpu().numpy()] if dataset.classes else []
    return dataset.fingerprint._replace(division=digest([*positions, *labels]))


def in_short(dataset: Dataset, parts: Sequence) -> str:
    """Return one text that differs for other data or another division into folds."""
    known = with_division(dataset, parts)
    return f"{known.train.digest} {known.test.digest} {known.division}"


def write_fingerprint(folder: Path, known: Fingerprint) -> None:
    """Write a run's fingerprint into its folder."""
    about = known._asdict()
    for name in ("train", "test"):
        about[name] = {"counts": about[name].counts, "digest": about[name].digest}
    arrays = {
        f"{name}_{kind}": getattr(getattr(known, name), kind)
        for name in ("train", "test")
        for kind in ("contents", "targets")
    }
    atomic_files.save_arrays(folder / DATA, about=np.array(atomic_files.to_json(about)), **arrays)


def read_fingerprint(folder: Path) -> Fingerprint | None:
    """Return a run's fingerprint, or None without one; raises UserError if the file is damaged."""
    try:
        arrays = atomic_files.load_arrays(folder / DATA)
        about: dict[str, Any] = json_of(str(arrays["about"]))
        if problem := misfit(about, ABOUT_SHAPE):
            raise ValueError(problem)
        for name in ("train", "test"):
            part = [arrays[f"{name}_{kind}"] for kind in ("contents", "targets")]
            if any(array.dtype != np.int64 or array.ndim != 1 for array in part):
                raise ValueError(f"the digests of {name} are not whole numbers")
            about[name] = Known(about[name]["counts"], about[name]["digest"], *part)
        for name in ("classes", "features", "input_shape"):
            about[name] = tuple(about[name])
        return Fingerprint(**about)
    except FileNotFoundError:
        return None
    except (atomic_files.DamagedFileError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder / DATA} cannot be read: {error}.\nIt is needed to see whether the data are "
            "still those of the run; put it back, or start a new run"
        ) from error
