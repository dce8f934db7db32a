"""The files of public data sets, and the caches of decoded data."""

import random
import struct
from pathlib import Path

import numpy as np
import torch

from dlcourse import atomic_files
from fuzzing.drive import Prepared
from fuzzing.mutations import VALUES, mutated_bytes, mutated_tree
from fuzzing.targets.weights import ODD_TENSORS


def idx_files() -> dict[str, bytes]:
    """Return the files of a small data set in MNIST's format, as its training and test part."""
    files = {}
    for part, count in {"train": 6, "t10k": 4}.items():
        images = np.random.default_rng(0).integers(0, 256, (count, 3, 3), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8).tobytes()
        files[f"{part}-images-idx3-ubyte"] = (
            struct.pack(">4i", 2051, count, 3, 3) + images.tobytes()
        )
        files[f"{part}-labels-idx1-ubyte"] = struct.pack(">2i", 2049, count) + labels
    return files


def small_idx(folder: Path):
    """Write a small data set in MNIST's format; return what reads it from the files or the cache.

    It has no checksums, so that its reader sees changed bytes.
    """
    from dlcourse.data.idx import IdxFiles
    from dlcourse.data.idx import idx as read_set

    source = IdxFiles("small", "small", ("train", "t10k"), tuple("0123456789"), {})
    (folder / "small").mkdir(exist_ok=True)
    for name, content in idx_files().items():
        (folder / "small" / name).write_bytes(content)
    return lambda: read_set(source, None, root=folder, size=3, channels=1)


def idx(folder: Path) -> Prepared:
    """Read images and labels of a small data set in MNIST's format, without a cache."""
    load, files = small_idx(folder), idx_files()
    cached = folder / ".dlcourse/small.pt"

    def read(content: bytes) -> None:
        number, inner = content[0] % 4, content[1:]
        path = folder / "small" / list(files)[number]
        path.write_bytes(inner)
        cached.unlink(missing_ok=True)
        try:
            load()
        finally:
            path.write_bytes(files[path.name])

    def make(draw: random.Random) -> bytes:
        number = draw.randrange(4)
        return bytes([number]) + mutated_bytes(draw, [list(files.values())[number]])

    return Prepared(read, make)


def cache(folder: Path) -> Prepared:
    """Read a cache that is damaged, or whole but odd: the data must be decoded again, or equal."""
    load = small_idx(folder)
    right = load()
    path = folder / ".dlcourse/small.pt"
    whole, content = path.read_bytes(), atomic_files.load_checked(path)
    to = folder / "made.pt"

    def read(inner: bytes) -> None:
        path.write_bytes(inner)
        dataset = load()
        for part in ("train", "test"):
            split, wanted = getattr(dataset, part), getattr(right, part)
            assert split.inputs.dtype == wanted.inputs.dtype
            assert split.inputs.shape[1:] == wanted.inputs.shape[1:]
            assert len(split.inputs) == len(split.targets)
            assert split.targets.dtype == torch.int64
            assert ((split.targets >= 0) & (split.targets < 10)).all()

    def make(draw: random.Random) -> bytes:
        if draw.random() < 0.3:
            return mutated_bytes(draw, [whole])
        odd = mutated_tree(draw, content, VALUES if draw.random() < 0.4 else ODD_TENSORS)
        atomic_files.save_checked(to, odd)
        return to.read_bytes()

    return Prepared(read, make)
