"""CIFAR-10."""

from pathlib import Path

import torch

from dlcourse.core import Dataset, Split
from dlcourse.data.cache import cached
from dlcourse.data.fetch import fetch
from dlcourse.data.picture import resize

CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


def cifar10(*, root: Path, seed: int, size: int, download: bool) -> Dataset:
    """Return 50,000 training and 10,000 test pictures (N, 3, size, size) in ten classes.

    Files: ``cifar-10-batches-py`` in ``root``, as torchvision lays them out. They are pickles, and
    none is opened before its MD5 sum was found right. Raises UserError where they are damaged, or
    missing and not to be had.

    Reference: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """
    content = cached(root, "cifar10", lambda: _read(root, download))
    train, test = (
        Split(resize(content[part]["pictures"], size), content[part]["targets"])
        for part in ("train", "test")
    )
    return Dataset(name="cifar10", train=train, test=test, classes=CLASSES)


def _read(root: Path, download: bool) -> dict:
    from torchvision.datasets import CIFAR10  # 1 s, and only before there is a cache

    def from_its_source(folder: Path) -> Path:
        CIFAR10(folder, download=True)
        return folder / CIFAR10.base_folder

    files = dict([*CIFAR10.train_list, *CIFAR10.test_list])
    files[CIFAR10.meta["filename"]] = CIFAR10.meta["md5"]
    folder = root / CIFAR10.base_folder
    fetch("CIFAR-10", folder, files, from_its_source if download else None)
    parts = {"train": CIFAR10(root, train=True), "test": CIFAR10(root, train=False)}
    return {
        part: {
            "pictures": torch.from_numpy(set_.data).permute(0, 3, 1, 2).contiguous(),
            "targets": torch.tensor(set_.targets),
        }
        for part, set_ in parts.items()
    }
