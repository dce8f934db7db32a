"""CIFAR-10 and CIFAR-100."""

from pathlib import Path

import torch

from dlcourse.core import Dataset, Split
from dlcourse.data.cache import IMAGES_KEY, cached
from dlcourse.data.download import ensure_files
from dlcourse.data.image import convert

CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


def cifar10(*, root: Path, seed: int, size: int, channels: int, download: bool) -> Dataset:
    """Return 50,000 training and 10,000 test images (N, channels, size, size) in ten classes.

    Files: ``cifar-10-batches-py`` in ``root``, laid out as by torchvision. They are pickle files,
    so each one's MD5 sum is checked before it is opened.

    Raises UserError for damaged files, and for missing ones that cannot be downloaded.

    Reference: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    content = cached(root, "cifar10", lambda: _read(root, "CIFAR10", "CIFAR-10", download))
    return _dataset("cifar10", content, CIFAR10_CLASSES, size, channels)


def cifar100(*, root: Path, seed: int, size: int, channels: int, download: bool) -> Dataset:
    """Return 50,000 training and 10,000 test images (N, channels, size, size) in 100 classes.

    The classes are the 100 fine ones, not the 20 superclasses. Files: ``cifar-100-python`` in
    ``root``; otherwise like ``cifar10``.

    Reference: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    content = cached(root, "cifar100", lambda: _read(root, "CIFAR100", "CIFAR-100", download))
    return _dataset("cifar100", content, tuple(content["classes"]), size, channels)


def _dataset(
    name: str, content: dict, classes: tuple[str, ...], size: int, channels: int
) -> Dataset:
    train, test = (
        Split(convert(content[part][IMAGES_KEY], size, channels), content[part]["targets"])
        for part in ("train", "test")
    )
    return Dataset(name=name, train=train, test=test, classes=classes, verified=True)


def _read(root: Path, source: str, name: str, download: bool) -> dict:
    """Download the set that torchvision calls ``source`` if it is missing, and read it."""
    import torchvision.datasets  # 1 s; imported only without a cache

    dataset = getattr(torchvision.datasets, source)

    def from_its_source(folder: Path) -> Path:
        dataset(folder, download=True)
        return folder / dataset.base_folder

    files = dict([*dataset.train_list, *dataset.test_list])
    files[dataset.meta["filename"]] = dataset.meta["md5"]
    ensure_files(name, root / dataset.base_folder, files, from_its_source if download else None)
    parts = {"train": dataset(root, train=True), "test": dataset(root, train=False)}
    content: dict = {
        part: {
            IMAGES_KEY: torch.from_numpy(set_.data).permute(0, 3, 1, 2).contiguous(),
            "targets": torch.tensor(set_.targets),
        }
        for part, set_ in parts.items()
    }
    return content | {"classes": list(parts["train"].classes)}
