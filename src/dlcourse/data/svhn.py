"""SVHN: the Street View House Numbers."""

import io
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data import public_files
from dlcourse.data.cache import IMAGES_KEY, cached
from dlcourse.data.cache_content import part_misfit
from dlcourse.data.image import convert
from dlcourse.data.verified import damaged_file, read_verified

DIGIT_ZERO = 10  # the label of the digit 0 in the files
FIRST_FILE = "train_32x32.mat"
SVHN_SIDE, MOST_OF_SVHN = 32, 531_131  # of the extra part


def svhn(
    *, root: Path, seed: int, extra: bool, size: int, channels: int, download: bool
) -> Dataset:
    """Return 73,257 training and 26,032 test images (N, channels, size, size) of digits.

    Files: ``train_32x32.mat`` and so on in ``svhn`` in ``root``, or in ``root`` itself, as
    torchvision stores them.

    extra: the training part has the 531,131 images of the extra part as well, after its own.

    Raises UserError for damaged files, and for missing ones that cannot be downloaded.

    Reference: Netzer, Wang, Coates, Bissacco, Wu, Ng, "Reading digits in natural images with
    unsupervised feature learning", NIPS workshop on deep learning and unsupervised feature
    learning 2011.
    Departs from it: the digit 0 has the class 0 and not 10.
    """
    folder = root if (root / FIRST_FILE).exists() else root / "svhn"
    parts = ("train", "extra", "test") if extra else ("train", "test")
    content = {
        part: cached(
            root,
            f"svhn_{part}",
            lambda part=part: read_mat(root, folder, part, download),
            misfit=partial(part_misfit, classes=10),
        )
        for part in parts
    }

    def split(*names: str) -> Split:
        images = [convert(content[name][IMAGES_KEY], size, channels) for name in names]
        return Split(torch.cat(images), torch.cat([content[name]["targets"] for name in names]))

    return Dataset(
        name="svhn",
        train=split("train", "extra") if extra else split("train"),
        test=split("test"),
        classes=tuple("0123456789"),
        verified=True,
    )


def read_mat(root: Path, folder: Path, part: str, download: bool) -> dict[str, Tensor]:
    """Download one part if it is missing; return its images (N, 3, 32, 32) and targets (N,).

    Raises UserError for a damaged file.
    """
    from dlcourse.data.download import ensure_files  # imported only without a cache

    source, path = public_files.SVHN, folder / f"{part}_32x32.mat"
    ensure_files(source, root, folder, [path.name], download=download)
    images, labels = arrays_in_mat(read_verified(source, folder, path.name), path)
    if images.shape[3] != len(labels) or not ((labels >= 1) & (labels <= DIGIT_ZERO)).all():
        raise damaged_file(path, "its images and labels do not fit each other")
    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(3, 2, 0, 1)))
    return {IMAGES_KEY: pixels, "targets": torch.from_numpy(labels % DIGIT_ZERO)}


def arrays_in_mat(content: bytes, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (32, 32, 3, N) and labels (N,) in a file of MATLAB 5.

    Their shapes are checked first: a small file can unpack to very large arrays. path: for
    messages.

    Raises UserError for other content.
    """
    from scipy.io import loadmat, whosmat

    try:
        shapes = {name: shape for name, shape, _ in whosmat(io.BytesIO(content))}
        images, labels = shapes["X"], shapes["y"]
        if (
            images[:3] != (SVHN_SIDE, SVHN_SIDE, 3)
            or images[3:] != labels[:1]
            or images[3] > MOST_OF_SVHN
        ):
            raise ValueError(f"its arrays have the shapes {images} and {labels}")
        found = loadmat(io.BytesIO(content), variable_names=("X", "y"))
        if found["X"].dtype != np.uint8 or found["y"].dtype.kind not in "ui":
            raise ValueError("its arrays are not of whole numbers")
    except Exception as error:  # scipy raises many kinds for wrong bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise damaged_file(path, f"it has no images of SVHN ({reason:.200})") from error
    return found["X"], found["y"].ravel().astype(np.int64)
