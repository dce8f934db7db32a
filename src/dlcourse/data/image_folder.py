"""A user's own images."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.cache import IMAGES, cached
from dlcourse.data.image_file import first_of, look_at, report, try_images
from dlcourse.data.scan import class_of, fingerprint, list_images
from dlcourse.data.streamed import ImageFiles, StreamedSplit
from dlcourse.data.test_split import TEST_SEED
from dlcourse.data.workers import map_ahead
from dlcourse.errors import UserError, shown
from dlcourse.permutations import stratified_order
from dlcourse.random_streams import Purpose
from dlcourse.terminal.live_line import working

PIECE = 64  # images that a worker reads at a time when all are read
GIB = 2**30

log = logging.getLogger(__name__)


def image_folder(
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
    """Return the images (N, channels, size, size) below a folder that has one folder per class.

    The folder ``root / folder`` holds the class folders, or ``train``, ``test`` and perhaps
    ``val``, each with the class folders in it. Without a ``test`` folder, ``test_fraction`` of
    every class is held back, the same in every run. Images are turned as their EXIF orientation
    says, composited on white, cropped to a square in the middle and resized. A warning counts the
    files that are left out, and the images that hold more than 8 bits of red, green and blue.

    damaged: for an image that cannot be read, ``refuse`` raises UserError, ``skip`` leaves it out
        with a warning.
    memory: in GiB; where the images need more, they stay on the disk and are read batch by
        batch, with the same pixels as a result.
    workers: processes that read; 0 reads in the process that trains.

    Raises UserError for a folder without two classes of images as well.
    """
    top = root / folder
    listing, left_out = list_images(top)
    paths = [path for part in listing.values() for path in part]
    files = ImageFiles(tuple(map(str, paths)), size, channels, workers)
    images, problems, notes, contents = load(files, memory, top, fingerprint(listing))
    report_damage(problems, paths, damaged)
    for line in filter(None, (left_out, report(paths, notes))):
        log.warning("%s", line)
    classes = sorted({class_of(path) for path in listing["train"]})
    number = {name: position for position, name in enumerate(classes)}
    whole = [position for position, problem in enumerate(problems) if not problem]
    targets = torch.tensor([number[class_of(paths[position])] for position in whole])
    kind = Split if isinstance(images, Tensor) else StreamedSplit
    counts, start = {}, 0
    for part, some in listing.items():
        counts[part] = sum(start <= position < start + len(some) for position in whole)
        start += len(some)
    train, test = divide(kind(images, targets, contents[whole]), counts, test_fraction)
    return Dataset(
        name=shown(top.resolve().name),
        train=train,
        test=test,
        classes=tuple(classes),
        ready_val=counts.get("val", 0),
    )


def load(
    files: ImageFiles, memory: float, top: Path, word: str
) -> tuple[Tensor | ImageFiles, list[str], list[list[str]], Tensor]:
    """Return the images that can be read; for every file what is wrong or "", notes and a digest.

    They are decoded once and kept, or if they are too large only looked at, once.
    """
    kind, size = f"{files.channels}x{files.size}", files.shape.numel()
    name = f"{kind}-{word}"
    if size <= memory * GIB:
        content = cached(
            top, f"decoded-{name}", lambda: decode(files), replaces=f"decoded-{kind}-*"
        )
        return tuple(content[key] for key in (IMAGES, "problems", "notes", "contents"))
    log.warning(
        "%d images of %d x %d need %.2g GiB, more than data.memory=%g: they are read again in "
        "every epoch", len(files.paths), files.size, files.size, size / GIB, memory,
    )  # fmt: skip
    content = cached(top, f"problems-{name}", lambda: look(files), replaces=f"problems-{kind}-*")
    whole = torch.tensor([not problem for problem in content["problems"]]).nonzero()[:, 0]
    return files[whole], content["problems"], content["notes"], content["contents"]


def decode(files: ImageFiles) -> dict:
    """Read all images into one tensor (N, C, size, size), leaving out those that are damaged."""
    images = torch.empty(files.shape, dtype=torch.uint8)
    problems: list[str] = []
    notes: list[list[str]] = []
    done = 0
    read = map_ahead(try_images, files.pieces(PIECE), files.workers_for_all())
    with working("reading images", len(files.paths)) as advance:
        for pixels, wrong, noted in read:
            images[done : done + len(pixels)] = torch.from_numpy(pixels)
            done += len(pixels)
            problems += wrong
            notes += noted
            advance(len(wrong))
    if done < len(images):
        images = images[:done].clone()  # a view would be saved with what lies behind it
    contents = digests(files.paths)
    return {IMAGES: images, "problems": problems, "notes": notes, "contents": contents}


def look(files: ImageFiles) -> dict:
    """Return for every file what is wrong with it, or "", and its notes."""
    seen = []
    with working("looking at images", len(files.paths)) as advance:
        for found in map_ahead(look_at, files.pieces(PIECE), files.workers_for_all()):
            seen.append(found)
            advance(len(found[0]))
    return {
        "problems": [problem for problems, _ in seen for problem in problems],
        "notes": [noted for _, notes in seen for noted in notes],
        "contents": digests(files.paths),
    }


def digests(paths: Sequence[str]) -> Tensor:
    """Return a digest (N,) int64 of the bytes of every file; 0 where it cannot be read."""
    return torch.tensor([digest_of(path) for path in paths])


def digest_of(path: str) -> int:
    """Return a digest of a file's bytes that fits int64."""
    try:
        with open(path, "rb") as file:
            made = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).digest()
    except OSError:  # it is among the damaged ones
        return 0
    return int.from_bytes(made, "little", signed=True)


def divide(images: Split, counts: dict[str, int], test_fraction: float) -> tuple[Split, Split]:
    """Return the training part, with a ready-made validation part at its end, and the test part.

    counts: how many images ``train``, ``val`` and ``test`` have, in which order they lie. Where
    there is no test part, it is taken out of the training images alone.
    """
    learn, choose = counts["train"], counts.get("val", 0)
    if counts.get("test"):
        cut = learn + choose
        return images.stretch(0, cut), images.stretch(cut, len(images))
    order = stratified_order(images.targets[:learn], TEST_SEED, Purpose.TEST_PART)
    held = round(learn * test_fraction)
    if not 0 < held < learn:
        raise UserError(
            f"data.test_fraction={test_fraction} of {learn} images leaves {held} to "
            "test on.\nType another fraction, or add images"
        )
    kept = torch.cat([order[held:].sort().values, torch.arange(learn, learn + choose)])
    return images.subset(kept), images.subset(order[:held])


def report_damage(problems: list[str], paths: list[Path], damaged: str) -> None:
    """Name the images that cannot be read: in a warning, or in a UserError if none may be."""
    wrong = [position for position, problem in enumerate(problems) if problem]
    if not wrong:
        return
    if damaged == "refuse":
        raise UserError(f"{problems[wrong[0]]}, or type data.damaged=skip")
    lost = {class_of(paths[position]) for position in wrong}
    lost -= {class_of(path) for path, problem in zip(paths, problems, strict=True) if not problem}
    if lost:
        raise UserError(
            f"No image of {', '.join(sorted(lost))} can be read.\n"
            "Replace them, or remove the folder"
        )
    log.warning(
        "%d of %d images cannot be read and are left out: %s",
        len(wrong), len(paths), first_of([paths[position] for position in wrong]),
    )  # fmt: skip
