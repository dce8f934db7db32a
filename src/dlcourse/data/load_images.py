"""Load the images of a folder into memory, or check them where they stay on the disk."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.data.cache import IMAGES_KEY, cached
from dlcourse.data.cache_content import files_misfit
from dlcourse.data.image_file import Reading
from dlcourse.data.read_many import inspect_images, try_images
from dlcourse.data.streamed import ImageFiles
from dlcourse.data.workers import map_ahead
from dlcourse.terminal.live_line import working

AT_A_TIME = 64  # images that a worker reads at a time
GIB = 2**30

log = logging.getLogger(__name__)


def load_images(
    files: ImageFiles,
    memory: float,
    top: Path,
    state: str,
    verify: Callable[[], None] = lambda: None,
) -> tuple[Tensor | ImageFiles, list[str], list[list[str]], Tensor]:
    """Return the images that can be read, and for every file its error or "", notes and a digest.

    The images are decoded once and cached; if they need too much memory, they are only checked
    once, and the result of the check is cached.

    memory: in GiB. state: the fingerprint of the folder, part of the cache file's name.
    verify: verifies the files; called before they are read for the cache.
    """
    size = files.shape.numel()
    kind, versions = kind_and_versions(files.reading)
    name = f"{kind}-{versions}{state}"

    def read(all_of: Callable[[ImageFiles], dict]) -> dict:
        verify()
        return all_of(files)

    if size <= memory * GIB:
        content = cached(
            top, f"decoded-{name}", lambda: read(decode_all), replaces=f"decoded-{kind}-*",
            misfit=partial(files_misfit, files=len(files.paths), shape=tuple(files.shape[1:])),
        )  # fmt: skip
        return tuple(content[key] for key in (IMAGES_KEY, "problems", "notes", "contents"))
    side = files.reading.size
    log.warning(
        "%d images of %d x %d need %.2g GiB, more than data.memory=%g: they are read again in "
        "every epoch", len(files.paths), side, side, size / GIB, memory,
    )  # fmt: skip
    content = cached(
        top, f"problems-{name}", lambda: read(inspect_all), replaces=f"problems-{kind}-*",
        misfit=partial(files_misfit, files=len(files.paths)),
    )  # fmt: skip
    whole = torch.tensor([not problem for problem in content["problems"]]).nonzero()[:, 0]
    return files[whole], content["problems"], content["notes"], content["contents"]


def kind_and_versions(reading: Reading) -> tuple[str, str]:
    """Return two parts of a cache file's name: how images are read, such as ``3x224``, and by what.

    The pixels of torchvision may change with its version and PyTorch's; the fingerprint of the
    folder has Pillow's.
    """
    kind = f"{reading.channels}x{reading.size}"
    if reading.reduced:
        kind = f"reduced-{kind}"
    if reading.fit != "crop":
        margins = reading.fill if reading.fit == "letterbox" else ""
        kind = f"{reading.fit}{margins}-{kind}"
    if reading.decoder != "torchvision":
        return kind, ""
    return f"torchvision-{kind}", f"{version('torchvision')}-{version('torch')}-"


def decode_all(files: ImageFiles) -> dict:
    """Read all images that are not damaged into one tensor (N, C, size, size)."""
    images = torch.empty(files.shape, dtype=torch.uint8)
    problems: list[str] = []
    notes: list[list[str]] = []
    done = 0
    read = map_ahead(try_images, files.pieces(AT_A_TIME), files.workers_for_all())
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
        for found in map_ahead(inspect_images, files.pieces(AT_A_TIME), files.workers_for_all()):
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
