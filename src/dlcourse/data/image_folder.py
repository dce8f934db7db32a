"""A user's own pictures."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.core import Dataset, Split
from dlcourse.data.cache import cached
from dlcourse.data.listing import fingerprint, list_pictures
from dlcourse.data.picture_file import problems_of, try_pictures
from dlcourse.data.streamed import PictureFiles, StreamedSplit
from dlcourse.data.workers import map_ahead
from dlcourse.error import UserError
from dlcourse.order import stratified_order

TEST_SEED = 0  # the test part is the same in every run
NAMED = 10  # damaged pictures that a warning names
PIECE = 64  # pictures that a worker reads at a time when all are read
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
    """Return the pictures (N, channels, size, size) below a folder that has one folder per class.

    The folder ``root / folder`` holds the class folders, or ``train``, ``test`` and perhaps
    ``val``, each with the class folders in it. Without a ``test`` folder, ``test_fraction`` of
    every class is held back, the same in every run. Hidden files and files that are no pictures
    by their names are left out. Pictures are cropped to a square in the middle and resized.

    damaged: what becomes of a picture that cannot be read: ``refuse`` raises UserError, ``skip``
        leaves it out with a warning.
    memory: in GiB; where the pictures need more, they stay on the disk and are read batch by
        batch, with the same numbers as a result.
    workers: processes that read; 0 reads in the process that trains.

    Raises UserError for a folder without two classes of pictures as well.
    """
    top = root / folder
    listing = list_pictures(top)
    paths = [path for part in listing.values() for path in part]
    files = PictureFiles(tuple(map(str, paths)), size, channels, workers)
    pictures, problems = load(files, memory, top, fingerprint(listing))
    report_damage(problems, paths, damaged)
    classes = sorted({path.parent.name for path in listing["train"]})
    number = {name: position for position, name in enumerate(classes)}
    whole = [position for position, problem in enumerate(problems) if not problem]
    targets = torch.tensor([number[paths[position].parent.name] for position in whole])
    kind = Split if isinstance(pictures, Tensor) else StreamedSplit
    counts, start = {}, 0
    for part, some in listing.items():
        counts[part] = sum(start <= position < start + len(some) for position in whole)
        start += len(some)
    train, test = divide(kind(pictures, targets), counts, test_fraction)
    return Dataset(
        name=top.resolve().name,
        train=train,
        test=test,
        classes=tuple(classes),
        ready_val=counts.get("val", 0),
    )


def load(
    files: PictureFiles, memory: float, top: Path, word: str
) -> tuple[Tensor | PictureFiles, list[str]]:
    """Return the pictures that can be read, and for every file what is wrong with it or "".

    They are decoded once and kept, or if they are too large only looked at, once.
    """
    name, size = f"{files.channels}x{files.size}-{word}", files.shape.numel()
    if size <= memory * GIB:
        content = cached(top, f"decoded-{name}", lambda: decode(files))
        return content["pictures"], content["problems"]
    log.warning(
        "%d pictures of %d x %d need %.2g GiB, more than data.memory=%g: they are read anew in "
        "every epoch", len(files.paths), files.size, files.size, size / GIB, memory,
    )  # fmt: skip
    problems = cached(top, f"problems-{name}", lambda: {"problems": look_at(files)})["problems"]
    whole = torch.tensor([not problem for problem in problems]).nonzero()[:, 0]
    return files[whole], problems


def decode(files: PictureFiles) -> dict:
    """Read all pictures into one tensor (N, C, size, size), leaving out those that are damaged."""
    pictures = torch.empty(files.shape, dtype=torch.uint8)
    problems: list[str] = []
    done = 0
    for pixels, wrong in map_ahead(try_pictures, files.pieces(PIECE), files.workers_for_all()):
        pictures[done : done + len(pixels)] = torch.from_numpy(pixels)
        done += len(pixels)
        problems += wrong
    if done < len(pictures):
        pictures = pictures[:done].clone()  # a view would be saved with what lies behind it
    return {"pictures": pictures, "problems": problems}


def look_at(files: PictureFiles) -> list[str]:
    """Return for every file what is wrong with it, or ""."""
    looked = map_ahead(problems_of, files.pieces(PIECE), files.workers_for_all())
    return [problem for problems in looked for problem in problems]


def divide(pictures: Split, counts: dict[str, int], test_fraction: float) -> tuple[Split, Split]:
    """Return the training part, with a ready-made validation part at its end, and the test part.

    counts: how many pictures ``train``, ``val`` and ``test`` have, in which order they lie. Where
    there is no test part, it is taken out of the training pictures alone.
    """
    learn, choose = counts["train"], counts.get("val", 0)
    if counts.get("test"):
        cut = learn + choose
        return pictures.stretch(0, cut), pictures.stretch(cut, len(pictures))
    order = stratified_order(pictures.targets[:learn], TEST_SEED)
    held = round(learn * test_fraction)
    if not 0 < held < learn:
        raise UserError(
            f"data.test_fraction={test_fraction} of {learn} pictures leaves {held} to "
            "test on.\nType another fraction, or add pictures"
        )
    kept = torch.cat([order[held:].sort().values, torch.arange(learn, learn + choose)])
    return pictures.subset(kept), pictures.subset(order[:held])


def report_damage(problems: list[str], paths: list[Path], damaged: str) -> None:
    """Name the pictures that cannot be read: in a warning, or in a UserError if none may be."""
    wrong = [position for position, problem in enumerate(problems) if problem]
    if not wrong:
        return
    if damaged == "refuse":
        raise UserError(f"{problems[wrong[0]]}, or type data.damaged=skip")
    lost = {paths[position].parent.name for position in wrong}
    lost -= {path.parent.name for path, problem in zip(paths, problems, strict=True) if not problem}
    if lost:
        raise UserError(
            f"No picture of {', '.join(sorted(lost))} can be read.\n"
            "Replace them, or take the folder away"
        )
    names = [str(paths[position]) for position in wrong[:NAMED]]
    more = [f"and {len(wrong) - NAMED} more"] if len(wrong) > NAMED else []
    log.warning(
        "%d of %d pictures cannot be read and are left out: %s",
        len(wrong), len(paths), ", ".join([*names, *more]),
    )  # fmt: skip
