"""Tiny ImageNet."""

import logging
import re
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data import public_files
from dlcourse.data.download import ensure_folder
from dlcourse.data.image_file import Reading, describe_notes
from dlcourse.data.load_images import load_images
from dlcourse.data.scan import Listing, fingerprint
from dlcourse.data.streamed import ImageFiles, StreamedSplit
from dlcourse.data.verified import verify_folder
from dlcourse.errors import UserError, shown

TINY_IMAGENET = "tiny-imagenet-200"
MEMBER = re.compile(
    rf"{TINY_IMAGENET}/(words\.txt|wnids\.txt|val/val_annotations\.txt|"
    r"train/n\d+/(images/[\w.]+|[\w.]+)|(val|test)/images/[\w.]+)"
)
"""The files that are read from the archive."""

log = logging.getLogger(__name__)


def tiny_imagenet(
    *,
    root: Path,
    seed: int,
    size: int,
    channels: int,
    memory: float,
    workers: int,
    decoder: str,
    download: bool,
) -> Dataset:
    """Return 100,000 training and 10,000 test images (N, channels, size, size) in 200 classes.

    The published test part has no labels, so the published validation part is the test part here.
    Files: ``tiny-imagenet-200`` in ``root``, as in the published archive:
    ``train/<id>/images``, ``val/images``, ``val/val_annotations.txt``, ``words.txt``.

    memory, workers, decoder: as of ``image_folder``.

    Raises UserError for a missing or damaged file.

    Reference: Le, Yang, "Tiny ImageNet visual recognition challenge", CS 231N report, Stanford
    University, 2015.
    """
    top = root / TINY_IMAGENET
    archive = public_files.TINY_IMAGENET_ZIP
    ensure_folder("Tiny ImageNet", root, TINY_IMAGENET, archive, MEMBER, download=download)
    ids, listing, labels = list_tiny_imagenet(top)
    paths = [path for part in listing.values() for path in part]
    files = ImageFiles(tuple(map(str, paths)), Reading(size, channels, decoder), workers)
    images, problems, notes, contents = load_images(
        files, memory, top, fingerprint(listing), verify=lambda: verify_folder(top)
    )
    for problem in filter(None, problems):
        raise UserError(problem)
    if line := describe_notes(paths, notes):
        log.warning("%s", line)
    targets = torch.tensor(labels)
    if isinstance(images, Tensor):
        split = Split(images, targets, contents)
    else:
        split = StreamedSplit(images, targets, contents)
    cut = len(listing["train"])
    return Dataset(
        name="tiny_imagenet",
        train=split.stretch(0, cut),
        test=split.stretch(cut, len(paths)),
        classes=names_of_ids(top / "words.txt", ids),
    )


def list_tiny_imagenet(top: Path) -> tuple[list[str], Listing, list[int]]:
    """Return the ids of the classes, the images of both parts, and the class of every image.

    Raises UserError for a folder that lacks files, and for annotations of an unknown class.
    """
    try:
        ids = sorted(folder.name for folder in (top / "train").iterdir() if folder.is_dir())
        number = {name: position for position, name in enumerate(ids)}
        folders = [top / "train" / name / "images" for name in ids]
        train = [path for folder in folders for path in sorted(folder.iterdir())]
        lines = (top / "val/val_annotations.txt").read_text("utf-8").splitlines()
        rows = sorted(line.split("\t")[:2] for line in lines if line)
        labels = [number[path.parent.parent.name] for path in train]
        test = [top / "val/images" / name for name, _ in rows]
        labels += [number[name] for _, name in rows]
        listing = {"train": train, "test": test}
        if missing := [path for path in test if not path.is_file()]:
            raise FileNotFoundError(f"{missing[0]} is missing")
    except (OSError, KeyError, ValueError) as error:
        reason = f"no class {error}" if isinstance(error, KeyError) else str(error)
        raise UserError(
            f"Tiny ImageNet in {shown(top)} is not complete: {shown(reason)}.\n"
            "Delete the folder, and the next start downloads it again"
        ) from error
    if len(ids) < 2 or not train or not test:
        raise UserError(
            f"Tiny ImageNet in {shown(top)} has {len(ids)} classes, {len(train):,} training and "
            f"{len(test):,} validation images.\nDelete the folder, and the next start downloads it "
            "again"
        )
    return ids, listing, labels


def names_of_ids(words: Path, ids: list[str]) -> tuple[str, ...]:
    """Return the first word of every class, with its id where two have the same; else the ids."""
    try:
        lines = words.read_text("utf-8").splitlines()
    except OSError:  # names are a convenience
        return tuple(ids)
    rows = [line.split("\t") for line in lines if line]
    named = {row[0]: row[-1].split(",")[0].strip() for row in rows}
    first = [named.get(name, name) for name in ids]
    twice = {word for word, count in Counter(first).items() if count > 1}
    return tuple(
        f"{word} ({name})" if word in twice else word for word, name in zip(first, ids, strict=True)
    )
