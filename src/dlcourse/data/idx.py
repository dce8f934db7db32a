"""Image data sets in the IDX format of MNIST."""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.cache import IMAGES_KEY, cached
from dlcourse.data.cache_content import parts_misfit
from dlcourse.data.image import convert
from dlcourse.data.public_files import PublicSet
from dlcourse.data.verified import damaged_file, read_verified
from dlcourse.errors import UserError

BYTES = 8  # the code of uint8 in an IDX file's header


class IdxFiles(NamedTuple):
    """How the files of a public set in IDX format are read.

    name: of the data set. files: where they come from.
    prefixes: how the file names of the training part and of the test part begin.
    first: the label of the first class.
    transposed: whether rows and columns of the stored images are exchanged.
    """

    name: str
    files: PublicSet
    prefixes: tuple[str, str]
    classes: tuple[str, ...]
    first: int = 0
    transposed: bool = False


def idx(source: IdxFiles, *, root: Path, size: int, channels: int, download: bool) -> Dataset:
    """Return the images (N, channels, size, size) of a set, downloaded and decoded if needed."""

    def make() -> dict:
        from dlcourse.data.download import ensure_files  # imported only without a cache

        needed = [file for prefix in source.prefixes for file in names(prefix)]
        ensure_files(source.files, root, root / source.files.folder, needed, download=download)
        parts = zip(("train", "test"), source.prefixes, strict=True)
        return {part: read_part(root, source, prefix) for part, prefix in parts}

    misfit = partial(parts_misfit, classes=len(source.classes))
    content = cached(root, source.name, make, misfit=misfit)
    train, test = (
        Split(convert(content[part][IMAGES_KEY], size, channels), content[part]["targets"])
        for part in ("train", "test")
    )
    return Dataset(name=source.name, train=train, test=test, classes=source.classes, verified=True)


def names(prefix: str) -> tuple[str, str]:
    """Return the file names of one part: its images and its labels."""
    return f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"


def read_part(root: Path, source: IdxFiles, prefix: str) -> dict[str, Tensor]:
    """Return a part's images (N, 1, H, W), upright, and its targets (N,), counted from 0.

    Raises UserError for a damaged file and for files that do not belong together.
    """
    folder = root / source.files.folder
    image_file, label_file = (folder / file for file in names(prefix))
    images, labels = (
        idx_array(read_verified(source.files, folder, path.name), path, dimensions)
        for path, dimensions in ((image_file, 3), (label_file, 1))
    )
    targets = labels.long() - source.first
    if len(images) != len(targets):
        raise UserError(
            f"{image_file} has {len(images)} images and {label_file} {len(targets)} labels.\n"
            "Delete both, and the next start downloads them again"
        )
    if not ((targets >= 0) & (targets < len(source.classes))).all():
        last = source.first + len(source.classes) - 1
        raise damaged_file(label_file, f"it has labels that are not from {source.first} to {last}")
    if source.transposed:
        images = images.transpose(1, 2).contiguous()
    return {IMAGES_KEY: images.unsqueeze(1), "targets": targets}


def idx_array(content: bytes, path: Path, dimensions: int) -> Tensor:
    """Return the uint8 values of an IDX file as a tensor with the given number of dimensions.

    The header has two zero bytes, the type of the values, the number of dimensions, and the size of
    each dimension in four bytes, big-endian.

    path: for messages. Raises UserError for other content.

    Reference: LeCun, Cortes, Burges, "The MNIST database", 1998, section "File formats".
    """
    header = 4 + 4 * dimensions
    if content[:4] != bytes([0, 0, BYTES, dimensions]) or len(content) < header:
        raise damaged_file(path, f"its header is not an IDX header of {dimensions} dimensions")
    shape = np.frombuffer(content, ">u4", dimensions, 4).tolist()
    if len(content) - header != np.prod(shape, dtype=object):
        raise damaged_file(path, f"it has {len(content):,} bytes and should have the sizes {shape}")
    numbers = np.frombuffer(content, np.uint8, offset=header)
    return torch.from_numpy(numbers.reshape(shape).copy())
