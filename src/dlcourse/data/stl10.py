"""STL-10."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data import public_files
from dlcourse.data.cache import IMAGES_KEY, cached
from dlcourse.data.cache_content import parts_misfit
from dlcourse.data.image import convert
from dlcourse.data.verified import damaged_file, read_verified
from dlcourse.errors import UserError

STL10_CLASSES = (
    "airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck",
)  # fmt: skip
FOLDER, FOLDS = "stl10_binary", "fold_indices.txt"
SIDE = 96


def stl10(
    *, root: Path, seed: int, fold: int | None, size: int, channels: int, download: bool
) -> Dataset:
    """Return 5,000 training and 8,000 test images (N, channels, size, size) in ten classes.

    Files: ``stl10_binary`` in ``root``, laid out as by torchvision. The 100,000 images without
    labels are not read, and not kept after a download.

    fold: 0 to 9: the 1,000 training images of one of the published folds; None: all.

    Raises UserError for damaged files, and for missing ones that cannot be downloaded.

    Reference: Coates, Ng, Lee, "An analysis of single-layer networks in unsupervised feature
    learning", AISTATS 2011.
    """
    misfit = partial(parts_misfit, classes=len(STL10_CLASSES))
    content = cached(root, "stl10", lambda: read_binary(root, download), misfit=misfit)
    train, test = (
        Split(convert(content[part][IMAGES_KEY], size, channels), content[part]["targets"])
        for part in ("train", "test")
    )
    if fold is not None:
        train = train.subset(fold_positions(root / FOLDER / FOLDS, fold, len(train)))
    return Dataset(name="stl10", train=train, test=test, classes=STL10_CLASSES, verified=True)


def read_binary(root: Path, download: bool) -> dict[str, dict[str, Tensor]]:
    """Download the set if it is missing; return images (N, 3, 96, 96) and targets of both parts."""
    from dlcourse.data.download import ensure_files  # imported only without a cache

    folder = root / FOLDER
    needed = [f"{part}_{kind}.bin" for part in ("train", "test") for kind in "Xy"]
    ensure_files(public_files.STL10, root, folder, needed, download=download)
    return {part: read_part_of_stl10(folder, part) for part in ("train", "test")}


def read_part_of_stl10(folder: Path, part: str) -> dict[str, Tensor]:
    """Return the images (N, 3, 96, 96), upright, and the targets (N,) of a part."""
    values, labels = (
        np.frombuffer(read_verified(public_files.STL10, folder, f"{part}_{kind}.bin"), np.uint8)
        for kind in "Xy"
    )
    if len(values) != len(labels) * 3 * SIDE**2:
        raise damaged_file(folder / f"{part}_X.bin", f"it has no {len(labels):,} images")
    if not ((labels >= 1) & (labels <= len(STL10_CLASSES))).all():
        raise damaged_file(folder / f"{part}_y.bin", "it has labels that are not from 1 to 10")
    columns_first = torch.from_numpy(values.copy()).view(-1, 3, SIDE, SIDE)
    return {IMAGES_KEY: columns_first.transpose(2, 3).contiguous(),
            "targets": torch.from_numpy(labels.astype(np.int64) - 1)}  # fmt: skip


def fold_positions(path: Path, fold: int, examples: int) -> Tensor:
    """Return the positions (1000,) of a published fold; raises UserError without its file."""
    if path.is_file():
        read_verified(public_files.STL10, path.parent, path.name)
    try:
        lines = path.read_text("utf-8").splitlines()
        positions = torch.tensor([int(number) for number in lines[fold].split()])
    except (OSError, ValueError, IndexError) as error:
        raise UserError(
            f"data.fold={fold} needs the published folds in {path}, which cannot be read: {error}."
            "\nPut the file of the archive there, or type data.fold=null"
        ) from error
    if len(positions) == 0 or not 0 <= int(positions.min()) <= int(positions.max()) < examples:
        raise damaged_file(path, f"its line {fold + 1} does not number {examples:,} images")
    return positions
