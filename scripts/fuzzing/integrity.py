"""Damage valid files systematically: every one of these changes must be noticed or harmless.

Noticed: the reader refuses the file. Harmless: it returns exactly the same content.
"""

import hashlib
import random
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dlcourse.atomic_files import DamagedFileError, load_checked
from dlcourse.data.download import ensure_files
from dlcourse.data.idx import idx as read_set
from dlcourse.data.verified import read_verified
from dlcourse.errors import UserError
from dlcourse.schema.run_files import BEST_WEIGHTS, LAST_CHECKPOINT
from fuzzing.finished_run import trained
from fuzzing.targets.data_files import write_idx

FLIPS = 10_000
LOCAL = 30  # bytes of the header of an entry in a ZIP archive, before its name


def check_integrity(folder: Path, number: int) -> Iterator[tuple[str, Counter]]:
    """Yield the kinds of damage with the number of noticed, harmless and missed changes.

    number: the seed of the random bits.
    """
    run = trained()
    for name, path in (("last.pt", run / LAST_CHECKPOINT), ("best.pt", run / BEST_WEIGHTS)):
        yield from damage_all(name, path.read_bytes(), folder / name, load_checked, number)
    source = write_idx(folder)
    read_set(source, root=folder, size=3, channels=1, download=False)
    cache = folder / ".dlcourse/small.pt"
    yield from damage_all("cache", cache.read_bytes(), cache, load_checked, number)
    path = folder / "small" / source.files.files[0].name

    def read(file: Path) -> bytes:
        ensure_files(source.files, folder, file.parent, [file.name], download=False)
        return read_verified(source.files, file.parent, file.name)

    yield from damage_all("idx", path.read_bytes(), path, read, number)


def damage_all(
    name: str, whole: bytes, path: Path, read: Callable[[Path], Any], number: int
) -> Iterator[tuple[str, Counter]]:
    """Yield the score of all truncations, of random flips and of every bit of the headers."""
    path.write_bytes(whole)
    right = read(path)
    draw = random.Random(number)
    places = range(8 * len(whole))
    kinds = {
        "truncations": (whole[:length] for length in range(len(whole))),
        "random flips": (flipped(whole, draw.choice(places)) for _ in range(FLIPS)),
        "header bits": (flipped(whole, bit) for bit in header_bits(whole)),
    }
    for kind, contents in kinds.items():
        score, started = Counter(), time.monotonic()
        for content in contents:
            path.write_bytes(content)
            score[verdict(path, read, right)] += 1
        score["seconds"] = round(time.monotonic() - started)
        yield f"{name:8} {kind:13}", score
    path.write_bytes(whole)


def flipped(whole: bytes, bit: int) -> bytes:
    """Return the content with one other bit."""
    content = bytearray(whole)
    content[bit // 8] ^= 1 << bit % 8
    return bytes(content)


def header_bits(whole: bytes) -> Iterator[int]:
    """Yield every bit of a file's headers: those of a ZIP archive and the last line, or of IDX."""
    if not whole.startswith(b"PK"):
        yield from range(8 * 16)
        return
    with zipfile.ZipFile(BytesIO(whole)) as archive:
        starts = [(one.header_offset, LOCAL + len(one.filename)) for one in archive.infolist()]
        directory = archive.start_dir
    for start, length in starts:
        yield from range(8 * start, 8 * (start + length))
    yield from range(8 * directory, 8 * len(whole))  # the directory, its end, the last line


def verdict(path: Path, read: Callable[[Path], Any], right: Any) -> str:
    """Return noticed, harmless or missed."""
    try:
        found = read(path)
    except (DamagedFileError, UserError):
        return "noticed"
    return "harmless" if digest_of_content(found) == digest_of_content(right) else "missed"


def digest_of_content(content: Any) -> str:
    """Return a digest of nested dicts, lists, tensors and numbers, exact to the last bit."""
    made = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, torch.Tensor):
            made.update(repr((part.dtype, tuple(part.shape))).encode())
            made.update(np.ascontiguousarray(part.numpy()).tobytes())
        elif isinstance(part, dict):
            for key, value in part.items():
                made.update(repr(key).encode())
                add(value)
        elif isinstance(part, list | tuple):
            made.update(b"[")
            for value in part:
                add(value)
            made.update(b"]")
        else:
            made.update(repr(part).encode())

    add(content)
    return made.hexdigest()
