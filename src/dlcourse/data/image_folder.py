"""A user's own images: one folder per class, or several classes for each in a table."""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.image_file import Reading, describe_notes, first_of
from dlcourse.data.image_labels import Labelled, labelled_images
from dlcourse.data.load_images import load_images
from dlcourse.data.scan import class_of, fingerprint, list_images
from dlcourse.data.streamed import ImageFiles, StreamedSplit
from dlcourse.data.test_split import test_order
from dlcourse.errors import UserError, shown

log = logging.getLogger(__name__)


def image_folder(
    *,
    root: Path,
    seed: int,
    folder: str,
    labels: str | None,
    size: int,
    channels: int,
    test_fraction: float,
    damaged: str,
    memory: float,
    workers: int,
    decoder: str,
    reduced_decode: bool,
    fit: str,
    fill: int,
) -> Dataset:
    """Return the images (N, channels, size, size) in a folder that has one folder per class.

    ``root / folder`` holds the class folders, or the folders ``train``, ``test`` and optionally
    ``val`` with the class folders in each. Without a ``test`` folder, ``test_fraction`` of every
    class becomes the test part, the same images in every run. Images are rotated by their EXIF
    orientation, composited on white, made square and resized. A warning counts the files that are
    left out and the images that hold more than 8 bits of red, green and blue.

    labels: a CSV file in the folder that lists the images and the classes of each, of which an
        image can have several; see ``image_labels.labelled_images``. None: the folders are the
        classes.
    damaged: what to do with an image that cannot be read: ``refuse`` raises UserError, ``skip``
        leaves it out with a warning.
    memory: the most memory, in GiB, for all images; if they need more, they stay on the disk and
        are read batch by batch, which gives the same pixels.
    workers: number of processes that read images; 0 reads them in the training process.
    decoder, reduced_decode, fit, fill: see ``image_file.Reading``.

    Raises UserError also for a folder with fewer than two classes of images.
    """
    top = root / folder
    labelled = in_class_folders(top) if labels is None else labelled_images(top, labels)
    listing = labelled.listing
    paths = [path for part in listing.values() for path in part]
    reading = Reading(size, channels, decoder, reduced_decode, fit, fill)
    files = ImageFiles(tuple(map(str, paths)), reading, workers)
    images, problems, notes, contents = load_images(files, memory, top, fingerprint(listing))
    report_damage(problems, paths, damaged)
    refuse_lost_classes(problems, labelled)
    for line in filter(None, (labelled.left_out, describe_notes(paths, notes))):
        log.warning("%s", line)
    whole = [position for position, problem in enumerate(problems) if not problem]
    targets = labelled.targets[whole]
    ids = np.array([shown(paths[position].relative_to(top)) for position in whole], dtype=object)
    if isinstance(images, Tensor):
        split = Split(images, targets, contents[whole], ids=ids)
    else:
        split = StreamedSplit(images, targets, contents[whole], ids=ids)
    counts, start = {}, 0
    for part, some in listing.items():
        counts[part] = sum(start <= position < start + len(some) for position in whole)
        start += len(some)
    train, test = divide_parts(split, counts, test_fraction, seed)
    return Dataset(
        name=shown(top.resolve().name),
        train=train,
        test=test,
        classes=labelled.classes,
        ready_val=counts.get("val", 0),
    )


def in_class_folders(top: Path) -> Labelled:
    """Return the images in a folder with one folder per class; ``targets`` (N,) are classes."""
    listing, left_out = list_images(top)
    classes = sorted({class_of(path) for path in listing["train"]})
    number = {name: position for position, name in enumerate(classes)}
    targets = torch.tensor([number[class_of(path)] for part in listing.values() for path in part])
    return Labelled(listing, targets, tuple(classes), left_out)


def divide_parts(
    images: Split, counts: dict[str, int], test_fraction: float, seed: int
) -> tuple[Split, Split]:
    """Return the training part, with a ready-made validation part at its end, and the test part.

    images: those of ``train``, ``val`` and ``test``, in this order. counts: the number of images of
    each. Without a ``test`` folder, the test part is taken from the images of ``train``, see
    ``test_order``.
    """
    train, val = counts["train"], counts.get("val", 0)
    if counts.get("test"):
        cut = train + val
        return images.stretch(0, cut), images.stretch(cut, len(images))
    held = round(train * test_fraction)
    if not 0 < held < train:
        raise UserError(
            f"data.test_fraction={test_fraction} of {train} images leaves {held} to "
            "test on.\nType another fraction, or add images"
        )
    order = test_order(images.targets[:train], held, seed, classes=True)
    kept = torch.cat([order[held:].sort().values, torch.arange(train, train + val)])
    return images.subset(kept), images.subset(order[:held])


def report_damage(problems: list[str], paths: list[Path], damaged: str) -> None:
    """Report images that cannot be read: in a warning, or with ``refuse`` in a UserError."""
    wrong = [position for position, problem in enumerate(problems) if problem]
    if not wrong:
        return
    if damaged == "refuse":
        raise UserError(f"{problems[wrong[0]]}, or type data.damaged=skip")
    log.warning(
        "%d of %d images cannot be read and are left out: %s",
        len(wrong), len(paths), first_of([paths[position] for position in wrong]),
    )  # fmt: skip


def refuse_lost_classes(problems: list[str], labelled: Labelled) -> None:
    """Raise UserError if no image of a class can be read."""
    targets, classes = labelled.targets, labelled.classes
    has = torch.nn.functional.one_hot(targets, len(classes)) if targets.dim() == 1 else targets
    readable = torch.tensor([not problem for problem in problems])
    before, after = has.sum(0), has[readable].sum(0)
    lost = [classes[n] for n in ((before > 0) & (after == 0)).nonzero().flatten().tolist()]
    if lost:
        raise UserError(
            f"No image of {', '.join(lost)} can be read.\nReplace them, or remove the class"
        )
