"""SVHN: the Street View House Numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.cache import IMAGES_KEY, cached
from dlcourse.data.download import ensure_files
from dlcourse.data.idx import damaged_file
from dlcourse.data.image import convert

DIGIT_ZERO = 10  # the label of the digit 0 in the files
FIRST_FILE = "train_32x32.mat"


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
        part: cached(root, f"svhn_{part}", lambda part=part: read_mat(folder, part, download))
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


def read_mat(folder: Path, part: str, download: bool) -> dict[str, Tensor]:
    """Download one part if it is missing; return its images (N, 3, 32, 32) and targets (N,)."""
    import torchvision.datasets  # 1 s; imported only without a cache

    source: Any = torchvision.datasets.SVHN
    _, file, md5 = source.split_list[part]

    def from_its_source(temporary: Path) -> Path:
        source(temporary, split=part, download=True)
        return temporary

    ensure_files("SVHN", folder, {file: md5}, from_its_source if download else None)
    from scipy.io import loadmat

    content = loadmat(str(folder / file))
    images, labels = content["X"], content["y"].ravel().astype(np.int64)  # (H, W, 3, N), (N,)
    if images.shape[3] != len(labels) or not ((labels >= 1) & (labels <= DIGIT_ZERO)).all():
        raise damaged_file(folder / file, "its images and labels do not fit each other")
    pixels = torch.from_numpy(np.ascontiguousarray(images.transpose(3, 2, 0, 1)))
    return {IMAGES_KEY: pixels, "targets": torch.from_numpy(labels % DIGIT_ZERO)}
