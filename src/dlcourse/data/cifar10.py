"""CIFAR-10 and CIFAR-100."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data import public_files
from dlcourse.data.cache import IMAGES_KEY, cached
from dlcourse.data.cache_content import parts_misfit
from dlcourse.data.cifar_pickle import ForeignPickleError, load_plain
from dlcourse.data.image import convert
from dlcourse.data.public_files import PublicSet
from dlcourse.data.verified import damaged_file, read_verified

CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
CIFAR_SIDE = 32


def cifar10(*, root: Path, seed: int, size: int, channels: int, download: bool) -> Dataset:
    """Return 50,000 training and 10,000 test images (N, channels, size, size) in ten classes.

    Files: ``cifar-10-batches-py`` in ``root``, laid out as by torchvision. They are pickles:
    each one's SHA-256 sum is checked first, and nothing that it names is called.

    Raises UserError for damaged files, and for missing ones that cannot be downloaded.

    Reference: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    content = cached(
        root, "cifar10", lambda: _read(root, public_files.CIFAR10, download),
        misfit=partial(parts_misfit, classes=10),
    )  # fmt: skip
    return _dataset("cifar10", content, CIFAR10_CLASSES, size, channels)


def cifar100(*, root: Path, seed: int, size: int, channels: int, download: bool) -> Dataset:
    """Return 50,000 training and 10,000 test images (N, channels, size, size) in 100 classes.

    The classes are the 100 fine ones, not the 20 superclasses. Files: ``cifar-100-python`` in
    ``root``; otherwise like ``cifar10``.

    Reference: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    content = cached(
        root, "cifar100", lambda: _read(root, public_files.CIFAR100, download),
        misfit=_misfit_of_100,
    )  # fmt: skip
    return _dataset("cifar100", content, tuple(content["classes"]), size, channels)


def _misfit_of_100(content: dict) -> str:
    """Return why content is not that of CIFAR-100; "" if it is."""
    names = content.get("classes")
    if not isinstance(names, list) or len(names) != 100:
        return "it has not 100 classes"
    texts = all(isinstance(name, str) for name in names)
    return parts_misfit(content, 100) if texts else "its classes are not texts"


def _dataset(
    name: str, content: dict, classes: tuple[str, ...], size: int, channels: int
) -> Dataset:
    train, test = (
        Split(convert(content[part][IMAGES_KEY], size, channels), content[part]["targets"])
        for part in ("train", "test")
    )
    return Dataset(name=name, train=train, test=test, classes=classes, verified=True)


def _read(root: Path, source: PublicSet, download: bool) -> dict:
    """Download the set if it is missing; return both parts and the names of the classes.

    The files are in their order: those of the training part, the test part, the names.
    """
    from dlcourse.data.download import ensure_files  # imported only without a cache

    folder = root / source.folder
    *train, test, meta = (file.name for file in source.files)
    ensure_files(source, root, folder, [*train, test, meta], download=download)
    names = read_entry(source, folder, meta, ("label_names", "fine_label_names"))
    if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise damaged_file(folder / meta, "its names of the classes are no list of texts")
    batches = [read_batch(source, folder, file, len(names)) for file in train]
    return {
        "train": {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]},
        "test": read_batch(source, folder, test, len(names)),
        "classes": names,
    }


def read_batch(source: PublicSet, folder: Path, file: str, classes: int) -> dict[str, Tensor]:
    """Return the images (N, 3, 32, 32) and the targets (N,) of a file.

    Raises UserError for a damaged file, and for other shapes, types and labels.
    """
    content = load_pickle_of(source, folder, file)
    images = content.get("data")
    labels = content.get("fine_labels", content.get("labels"))
    if not (
        isinstance(images, np.ndarray) and images.ndim == 2 and images.shape[1] == 3 * CIFAR_SIDE**2
    ):
        raise damaged_file(folder / file, f"its images have no {3 * CIFAR_SIDE**2:,} bytes each")
    if not (isinstance(labels, list) and len(labels) == len(images)):
        raise damaged_file(folder / file, f"it has no list of {len(images):,} labels")
    if not all(type(label) is int and 0 <= label < classes for label in labels):
        raise damaged_file(folder / file, f"it has labels that are not from 0 to {classes - 1}")
    pixels = torch.from_numpy(images.copy()).view(-1, 3, CIFAR_SIDE, CIFAR_SIDE)
    return {IMAGES_KEY: pixels, "targets": torch.tensor(labels)}


def read_entry(source: PublicSet, folder: Path, file: str, keys: tuple[str, ...]) -> Any:
    """Return the first of some entries that a file has, None if it has none."""
    content = load_pickle_of(source, folder, file)
    return next((content[key] for key in keys if key in content), None)


def load_pickle_of(source: PublicSet, folder: Path, file: str) -> dict:
    """Return the content of a pickle; raises UserError for a damaged or foreign one."""
    try:
        return load_plain(read_verified(source, folder, file))
    except ForeignPickleError as error:
        raise damaged_file(folder / file, str(error)) from error
