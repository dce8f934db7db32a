"""notMNIST: the letters A to J in many typefaces."""

import os
from pathlib import Path

from dlcourse.core import Dataset
from dlcourse.data.image_folder import image_folder
from dlcourse.errors import UserError


def notmnist(
    *,
    root: Path,
    seed: int,
    folder: str,
    size: int,
    channels: int,
    test_fraction: float,
    damaged: str,
    memory: float,
    workers: int,
) -> Dataset:
    """Return images (N, channels, size, size) of letters; ``test_fraction`` of each to test on.

    The published small set has about 19,000 files of 28 x 28 grey pixels, two of which cannot be
    read. It is not downloaded: ``root / folder`` holds its folders A to J. Raises UserError where
    it is missing; otherwise like ``image_folder``.

    Reference: Bulatov, "notMNIST dataset", 2011, yaroslavvb.blogspot.com.
    """
    if not os.path.isdir(root / folder):
        raise UserError(
            f"notMNIST is not in {root / folder}, and it is not downloaded by dlcourse.\n"
            f"Unpack notMNIST_small.tar.gz in {root}, so that the letters' folders are "
            f"{root / folder}/A to {root / folder}/J; or type data.root=<folder>"
        )
    return image_folder(
        root=root,
        seed=seed,
        folder=folder,
        size=size,
        channels=channels,
        test_fraction=test_fraction,
        damaged=damaged,
        memory=memory,
        workers=workers,
    )
