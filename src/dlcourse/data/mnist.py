"""MNIST and the sets that come in its files."""

from collections.abc import Mapping
from pathlib import Path

from dlcourse.core import Dataset, Split
from dlcourse.data.cache import cached
from dlcourse.data.fetch import fetch
from dlcourse.data.picture import resize

MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
FASHION_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}


def mnist(*, root: Path, seed: int, size: int, download: bool) -> Dataset:
    """Return 60,000 training and 10,000 test pictures (N, 1, size, size) of digits.

    Files: ``MNIST/raw`` in ``root``, as torchvision lays them out. Raises UserError where they are
    damaged, or missing and not to be had.

    Reference: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
    recognition", Proc. IEEE 86(11), 1998.
    """
    return _idx("mnist", "MNIST", MNIST_MD5, tuple("0123456789"), root, size, download)


def fashion_mnist(*, root: Path, seed: int, size: int, download: bool) -> Dataset:
    """Return 60,000 training and 10,000 test pictures (N, 1, size, size) of clothes.

    Files: ``FashionMNIST/raw`` in ``root``; otherwise like ``mnist``.

    Reference: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking
    machine learning algorithms", 2017.
    """
    classes = (
        "t-shirt", "trouser", "pullover", "dress", "coat",
        "sandal", "shirt", "sneaker", "bag", "ankle boot",
    )  # fmt: skip
    return _idx("fashion_mnist", "FashionMNIST", FASHION_MD5, classes, root, size, download)


def _idx(
    name: str,
    source: str,
    md5: Mapping[str, str],
    classes: tuple[str, ...],
    root: Path,
    size: int,
    download: bool,
) -> Dataset:
    """Read the set that torchvision calls ``source``."""

    def read() -> dict:
        import torchvision.datasets  # 1 s, and only before there is a cache

        dataset = getattr(torchvision.datasets, source)

        def from_its_mirrors(folder: Path) -> Path:
            dataset(folder, download=True)
            return folder / source / "raw"

        fetch(source, root / source / "raw", md5, from_its_mirrors if download else None)
        parts = {"train": dataset(root, train=True), "test": dataset(root, train=False)}
        return {
            part: {"pictures": set_.data.unsqueeze(1), "targets": set_.targets}
            for part, set_ in parts.items()
        }

    content = cached(root, name, read)
    train, test = (
        Split(resize(content[part]["pictures"], size), content[part]["targets"])
        for part in ("train", "test")
    )
    return Dataset(name=name, train=train, test=test, classes=classes)
