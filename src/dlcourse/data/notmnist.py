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
    """Return images (N, channels, size, size) of letters, a ``test_fraction`` of each for testing.

    The published small set has about 19,000 files of 28 x 28 grey pixels, two of which cannot be
    read. dlcourse does not download it: ``root / folder`` must hold its folders A to J. The options
    are those of ``image_folder``.

    Raises UserError if the folder is missing, and as ``image_folder`` does.

    Reference: Bulatov, "notMNIST dataset", 2011, yaroslavvb.blogspot.com.
    """
    if not os.path.isdir(root / folder):
        raise UserError(
            f"notMNIST is not in {root / folder}, and dlcourse does not download it.\n"
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
        decoder="pillow",
        labels=None,
        reduced_decode=False,
        fit="crop",
        fill=0,
    )
