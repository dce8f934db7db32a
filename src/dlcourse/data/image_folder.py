"""A user's own images, one folder per class."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.cache import IMAGES_KEY, cached
from dlcourse.data.image_file import describe_notes, first_of, inspect_images, try_images
from dlcourse.data.scan import class_of, fingerprint, list_images
from dlcourse.data.streamed import ImageFiles, StreamedSplit
from dlcourse.data.test_split import test_order
from dlcourse.data.workers import map_ahead
from dlcourse.errors import UserError, shown
from dlcourse.terminal.live_line import working

PIECE = 64  # images that a worker reads at a time
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
    """Return the images (N, channels, size, size) in a folder that has one folder per class.

    ``root / folder`` holds the class folders, or the folders ``train``, ``test`` and optionally
    ``val`` with the class folders in each. Without a ``test`` folder, ``test_fraction`` of every
    class becomes the test part, the same images in every run. Images are rotated by their EXIF
    orientation, composited on white, centre-cropped to a square and resized. A warning counts the
    files that are left out and the images that hold more than 8 bits of red, green and blue.

    damaged: what to do with an image that cannot be read: ``refuse`` raises UserError, ``skip``
        leaves it out with a warning.
    memory: the most memory, in GiB, for all images; if they need more, they stay on the disk and
        are read batch by batch, which gives the same pixels.
    workers: number of processes that read images; 0 reads them in the training process.

    Raises UserError also for a folder with fewer than two classes of images.
    """
    top = root / folder
    listing, left_out = list_images(top)
    paths = [path for part in listing.values() for path in part]
    files = ImageFiles(tuple(map(str, paths)), size, channels, workers)
    images, problems, notes, contents = load_images(files, memory, top, fingerprint(listing))
    report_damage(problems, paths, damaged)
    for line in filter(None, (left_out, describe_notes(paths, notes))):
        log.warning("%s", line)
    classes = sorted({class_of(path) for path in listing["train"]})
    number = {name: position for position, name in enumerate(classes)}
    whole = [position for position, problem in enumerate(problems) if not problem]
    targets = torch.tensor([number[class_of(paths[position])] for position in whole])
    if isinstance(images, Tensor):
        split = Split(images, targets, contents[whole])
    else:
        split = StreamedSplit(images, targets, contents[whole])
    counts, start = {}, 0
    for part, some in listing.items():
        counts[part] = sum(start <= position < start + len(some) for position in whole)
        start += len(some)
    train, test = divide_parts(split, counts, test_fraction, seed)
    return Dataset(
        name=shown(top.resolve().name),
        train=train,
        test=test,
        classes=tuple(classes),
        ready_val=counts.get("val", 0),
    )


def load_images(
    files: ImageFiles, memory: float, top: Path, state: str
) -> tuple[Tensor | ImageFiles, list[str], list[list[str]], Tensor]:
    """Return the images that can be read, and for every file its error or "", notes and a digest.

    The images are decoded once and cached; if they need too much memory, they are only checked
    once, and the result of the check is cached.

    memory: in GiB. state: the fingerprint of the folder, part of the cache file's name.
    """
    kind, size = f"{files.channels}x{files.size}", files.shape.numel()
    name = f"{kind}-{state}"
    if size <= memory * GIB:
        content = cached(
            top, f"decoded-{name}", lambda: decode_all(files), replaces=f"decoded-{kind}-*"
        )
        return tuple(content[key] for key in (IMAGES_KEY, "problems", "notes", "contents"))
    log.warning(
        "%d images of %d x %d need %.2g GiB, more than data.memory=%g: they are read again in "
        "every epoch", len(files.paths), files.size, files.size, size / GIB, memory,
    )  # fmt: skip
    content = cached(
        top, f"problems-{name}", lambda: inspect_all(files), replaces=f"problems-{kind}-*"
    )
    whole = torch.tensor([not problem for problem in content["problems"]]).nonzero()[:, 0]
    return files[whole], content["problems"], content["notes"], content["contents"]


def decode_all(files: ImageFiles) -> dict:
    """Read all images that are not damaged into one tensor (N, C, size, size)."""
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
        images = images[:done].clone()  # a view would save the whole buffer
    contents = digests(files.paths)
    return {IMAGES_KEY: images, "problems": problems, "notes": notes, "contents": contents}


def inspect_all(files: ImageFiles) -> dict:
    """Check all images; return for every file its error, or "", its notes and its digest."""
    seen = []
    with working("checking images", len(files.paths)) as advance:
        for found in map_ahead(inspect_images, files.pieces(PIECE), files.workers_for_all()):
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
    except OSError:  # reported among the damaged images
        return 0
    return int.from_bytes(made, "little", signed=True)


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
    order = test_order(images.targets[:train], seed, classes=True)
    held = round(train * test_fraction)
    if not 0 < held < train:
        raise UserError(
            f"data.test_fraction={test_fraction} of {train} images leaves {held} to "
            "test on.\nType another fraction, or add images"
        )
    kept = torch.cat([order[held:].sort().values, torch.arange(train, train + val)])
    return images.subset(kept), images.subset(order[:held])


def report_damage(problems: list[str], paths: list[Path], damaged: str) -> None:
    """Report images that cannot be read: in a warning, or with ``refuse`` in a UserError."""
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
