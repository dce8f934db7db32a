"""MNIST and the data sets in the same file format."""

from collections.abc import Callable
from pathlib import Path

from dlcourse.core import Dataset
from dlcourse.data.idx import IdxFiles, idx

PREFIXES = ("train", "t10k")
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


def mnist(*, root: Path, seed: int, size: int, channels: int, download: bool) -> Dataset:
    """Return 60,000 training and 10,000 test images (N, channels, size, size) of digits.

    Files: ``MNIST/raw`` in ``root``, laid out as by torchvision.

    Raises UserError for damaged files, and for missing ones that cannot be downloaded.

    Reference: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
    recognition", Proc. IEEE 86(11), 1998.
    """
    source = IdxFiles("mnist", "MNIST/raw", PREFIXES, tuple("0123456789"), MNIST_MD5)
    return idx(source, _from("MNIST", download), root=root, size=size, channels=channels)


def fashion_mnist(*, root: Path, seed: int, size: int, channels: int, download: bool) -> Dataset:
    """Return 60,000 training and 10,000 test images (N, channels, size, size) of clothes.

    Files: ``FashionMNIST/raw`` in ``root``; otherwise like ``mnist``.

    Reference: Xiao, Rasul, Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking
    machine learning algorithms", 2017.
    """
    classes = (
        "t-shirt", "trouser", "pullover", "dress", "coat",
        "sandal", "shirt", "sneaker", "bag", "ankle boot",
    )  # fmt: skip
    source = IdxFiles("fashion_mnist", "FashionMNIST/raw", PREFIXES, classes, FASHION_MD5)
    return idx(source, _from("FashionMNIST", download), root=root, size=size, channels=channels)


def kmnist(*, root: Path, seed: int, size: int, channels: int, download: bool) -> Dataset:
    """Return 60,000 training and 10,000 test images (N, channels, size, size) of ten hiragana.

    They are cursive characters (kuzushiji) of old Japanese books. Files: ``KMNIST/raw`` in
    ``root``; otherwise like ``mnist``, but only the MD5 sums of the archives are known, which
    torchvision checks after a download.

    Reference: Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto, Ha, "Deep learning for classical
    Japanese literature", 2018.
    """
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    source = IdxFiles("kmnist", "KMNIST/raw", PREFIXES, classes, {})
    return idx(source, _from("KMNIST", download), root=root, size=size, channels=channels)


def _from(source: str, download: bool) -> Callable[[Path], Path] | None:
    """Return torchvision's download of the set that it calls ``source``; None if not allowed."""

    def from_its_mirrors(folder: Path) -> Path:
        import torchvision.datasets  # 1 s; imported only for a download

        getattr(torchvision.datasets, source)(folder, download=True)
        return folder / source / "raw"

    return from_its_mirrors if download else None
