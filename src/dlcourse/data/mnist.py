"""MNIST and the data sets in the same file format."""

from pathlib import Path

from dlcourse.core import Dataset
from dlcourse.data import public_files
from dlcourse.data.idx import IdxFiles, idx

PREFIXES = ("train", "t10k")


def mnist(*, root: Path, seed: int, size: int, channels: int, download: bool) -> Dataset:
    """Return 60,000 training and 10,000 test images (N, channels, size, size) of digits.

    Files: ``MNIST/raw`` in ``root``, laid out as by torchvision.

    Raises UserError for damaged files, and for missing ones that cannot be downloaded.

    Reference: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
    recognition", Proc. IEEE 86(11), 1998.
    """
    source = IdxFiles("mnist", public_files.MNIST, PREFIXES, tuple("0123456789"))
    return idx(source, root=root, size=size, channels=channels, download=download)


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
    source = IdxFiles("fashion_mnist", public_files.FASHION_MNIST, PREFIXES, classes)
    return idx(source, root=root, size=size, channels=channels, download=download)


def kmnist(*, root: Path, seed: int, size: int, channels: int, download: bool) -> Dataset:
    """Return 60,000 training and 10,000 test images (N, channels, size, size) of ten hiragana.

    They are cursive characters (kuzushiji) of old Japanese books. Files: ``KMNIST/raw`` in
    ``root``; otherwise like ``mnist``, but only the sums of the compressed files are published;
    those of the unpacked files are stored after a download.

    Reference: Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto, Ha, "Deep learning for classical
    Japanese literature", 2018.
    """
    classes = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    source = IdxFiles("kmnist", public_files.KMNIST, PREFIXES, classes)
    return idx(source, root=root, size=size, channels=channels, download=download)
