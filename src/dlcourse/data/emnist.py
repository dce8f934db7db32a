"""EMNIST: handwritten letters and digits."""

import string
from pathlib import Path

from dlcourse.core import Dataset
from dlcourse.data import public_files
from dlcourse.data.idx import IdxFiles, idx

CHARACTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
ALIKE = "cijklmopsuvwxyz"  # lower-case letters that look like their capitals
MERGED = "".join(character for character in CHARACTERS if character not in ALIKE)
PART_CLASSES = {
    "balanced": MERGED,
    "letters": string.ascii_lowercase,  # a letter and its capital are one class
    "digits": string.digits,
    "byclass": CHARACTERS,
    "bymerge": MERGED,
    "mnist": string.digits,
}


def emnist(
    *, root: Path, seed: int, part: str, size: int, channels: int, download: bool
) -> Dataset:
    """Return upright images (N, channels, size, size) of one of the parts of EMNIST.

    part: ``balanced`` has 112,800 training and 18,800 test images of 47 classes, ``letters``
        124,800 and 20,800 of 26, ``digits`` 240,000 and 40,000 of 10, ``byclass`` 697,932 and
        116,323 of 62, ``bymerge`` the same in 47, ``mnist`` 60,000 and 10,000 of 10.

    Files: ``EMNIST/raw`` in ``root``, laid out as by torchvision. One archive holds all parts, and
    all are kept once it is downloaded. The archive's sum is published; those of the files in it are
    stored after the download.

    Raises UserError for damaged files, and for missing ones that cannot be downloaded.

    Reference: Cohen, Afshar, Tapson, van Schaik, "EMNIST: extending MNIST to handwritten letters",
    IJCNN 2017.
    Departs from it: the files hold transposed images and count the letters from 1; here the images
    are upright and every part counts its classes from 0.
    """
    source = IdxFiles(
        name=f"emnist_{part}",
        files=public_files.EMNIST,
        prefixes=(f"emnist-{part}-train", f"emnist-{part}-test"),
        classes=tuple(PART_CLASSES[part]),
        first=1 if part == "letters" else 0,
        transposed=True,
    )
    return idx(source, root=root, size=size, channels=channels, download=download)
