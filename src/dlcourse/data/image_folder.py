"""A user's own pictures."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.cache import cached
from dlcourse.error import UserError
from dlcourse.order import stratified_order

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
READY = {"val": ("val", "valid", "validation"), "test": ("test",)}  # names of their folders
TEST_SEED = 0  # the test part is the same in every run


def image_folder(
    *, root: Path, seed: int, folder: str, size: int, channels: int, test_fraction: float
) -> Dataset:
    """Return the pictures (N, channels, size, size) below a folder that has one folder per class.

    The folder ``root / folder`` holds the class folders, or ``train``, ``test`` and perhaps
    ``val``, each with the class folders in it. Without a ``test`` folder, ``test_fraction`` of
    every class is held back, the same in every run. Hidden files and files that are no pictures
    by their names are left out. Pictures are cropped to a square in the middle and resized.

    Raises UserError for a folder without two classes of pictures, and for a damaged picture.
    """
    top = root / folder
    listing = _list(top)
    classes = sorted({path.parent.name for path in listing["train"]})
    for part, paths in listing.items():
        strange = {path.parent.name for path in paths} - set(classes)
        if strange:
            raise UserError(
                f"{top / part} has classes that the training part has not: "
                f"{', '.join(sorted(strange))}.\nAdd pictures of them to the training part"
            )
    content = cached(
        top,
        f"pictures-{channels}x{size}-{_fingerprint(listing)}",
        lambda: {part: _decode(paths, size, channels) for part, paths in listing.items()},
    )
    splits = {
        part: Split(content[part], _targets(paths, classes)) for part, paths in listing.items()
    }
    train, val, test = (splits.get(part) for part in ("train", "val", "test"))
    if test is None:
        order = stratified_order(train.targets, TEST_SEED)
        held = round(len(train) * test_fraction)
        if not 0 < held < len(train):
            raise UserError(
                f"data.test_fraction={test_fraction} of {len(train)} pictures leaves {held} to "
                "test on.\nType another fraction, or add pictures"
            )
        train, test = train.subset(order[held:].sort().values), train.subset(order[:held])
    if val is not None:
        train = Split(
            torch.cat([train.inputs, val.inputs]), torch.cat([train.targets, val.targets])
        )
    return Dataset(
        name=top.resolve().name,
        train=train,
        test=test,
        classes=tuple(classes),
        ready_val=0 if val is None else len(val),
    )


def _list(top: Path) -> dict[str, list[Path]]:
    """Return the pictures of each part, sorted."""
    if not top.is_dir():
        raise UserError(
            f"The picture folder {top} is not there.\n"
            "Type data.root=<folder>, a folder with one folder of pictures per class"
        )
    parts = {"train": top}
    if any(path.is_dir() for path in (top / "train").glob("*")):
        parts = {"train": top / "train"}
        ready = [(part, top / name) for part, names in READY.items() for name in names]
        parts |= {part: where for part, where in ready if where.is_dir()}
    listing = {
        part: sorted(
            path
            for path in where.glob("[!.]*/[!.]*")
            if path.suffix.lower() in SUFFIXES and path.is_file()
        )
        for part, where in parts.items()
    }
    for part, where in parts.items():
        classes = {path.parent.name for path in listing[part]}
        empty = {path.name for path in where.glob("[!.]*") if path.is_dir()} - classes
        if empty:
            raise UserError(
                f"{where} has folders without a picture: {', '.join(sorted(empty))}.\n"
                "Remove them or put pictures there; a folder is a class, its name the class's name"
            )
        if part == "train" and len(classes) < 2:
            raise UserError(
                f"{where} has {len(classes)} classes of pictures, and at least 2 are needed.\n"
                "Type data.root=<folder>, a folder with one folder of pictures per class"
            )
    return listing


def _fingerprint(listing: dict[str, list[Path]]) -> str:
    """Return a word that changes when a picture is added, removed, renamed or written to."""
    digest = hashlib.sha256()
    for part, paths in listing.items():
        for path in paths:
            status = path.stat()
            digest.update(f"{part}\0{path.parent.name}\0{path.name}\0".encode())
            digest.update(f"{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _targets(paths: list[Path], classes: list[str]) -> Tensor:
    number = {name: position for position, name in enumerate(classes)}
    return torch.tensor([number[path.parent.name] for path in paths])


def _decode(paths: list[Path], size: int, channels: int) -> Tensor:
    pictures = torch.empty(len(paths), channels, size, size, dtype=torch.uint8)
    for position, path in enumerate(paths):
        pictures[position] = read_picture(path, size, channels)
    return pictures


def read_picture(path: Path, size: int, channels: int) -> Tensor:
    """Return one picture as uint8 (channels, size, size); raises UserError naming a damaged one."""
    try:
        with Image.open(path) as picture:
            if picture.mode.startswith("I"):  # 16 bits of grey: convert() would cut, not scale
                picture = Image.fromarray((np.asarray(picture) / 257).round().astype(np.uint8))
            picture = picture.convert("L" if channels == 1 else "RGB")
            picture = ImageOps.fit(picture, (size, size), Image.Resampling.BILINEAR)
            pixels = torch.from_numpy(np.array(picture))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(
            f"The picture {path} cannot be read: {error}.\nReplace it or take it away"
        ) from error
    return pixels.view(size, size, channels).permute(2, 0, 1)
