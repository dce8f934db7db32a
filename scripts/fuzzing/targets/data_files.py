"""The files of public data sets, and the caches of decoded data."""

import hashlib
import pickle
import random
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from dlcourse import atomic_files
from dlcourse.core import Dataset
from dlcourse.data.cifar10 import read_batch
from dlcourse.data.idx import IdxFiles, read_part
from dlcourse.data.idx import idx as read_set
from dlcourse.data.public_files import File, PublicSet
from fuzzing.drive import Prepared
from fuzzing.mutations import VALUES, mutated_bytes, mutated_tree
from fuzzing.targets.weights import ODD_TENSORS, checked_bytes


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


def idx_source(files: Mapping[str, bytes]) -> IdxFiles:
    """Return a small data set whose pinned checksums are those of these files."""
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    known = tuple(File(name, len(content), sums[name]) for name, content in files.items())
    classes = tuple("0123456789")
    return IdxFiles("small", PublicSet("Small", "small", known, ()), ("train", "t10k"), classes)


def write_idx(folder: Path) -> IdxFiles:
    """Write a small data set in MNIST's format into ``small``; return it."""
    (folder / "small").mkdir(exist_ok=True)
    for name, content in idx_files().items():
        (folder / "small" / name).write_bytes(content)
    return idx_source(idx_files())


def idx(folder: Path) -> Prepared:
    """Read images and labels in MNIST's format, each with the right checksum."""
    write_idx(folder)
    whole = idx_files()

    def read(content: bytes) -> None:
        name = list(whole)[content[0] % 4]
        path = folder / "small" / name
        path.write_bytes(content[1:])
        try:
            source = idx_source(whole | {name: content[1:]})
            read_part(folder, source, name.partition("-")[0])
        finally:
            path.write_bytes(whole[name])

    def make(draw: random.Random) -> bytes:
        number = draw.randrange(4)
        return bytes([number]) + mutated_bytes(draw, [list(whole.values())[number]])

    return Prepared(read, make)


def cifar(folder: Path) -> Prepared:
    """Read a batch of CIFAR, a pickle, with the right checksum."""
    images = np.random.default_rng(0).integers(0, 256, (3, 3072), dtype=np.uint8)
    tree = {"data": images, "labels": [0, 5, 9], "filenames": ["a", "b", "c"], "batch_label": "x"}
    seeds = [pickle.dumps(tree, protocol=number) for number in (0, 2, 4)]
    code = [b"cos\nsystem\n(S'touch made'\ntR.", pickle.dumps(Path("x")), pickle.dumps(print)]
    path = folder / "batch"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        known = File("batch", len(content), hashlib.sha256(content).hexdigest())
        read_batch(PublicSet("Small", "", (known,), ()), folder, "batch", 10)

    def make(draw: random.Random) -> bytes:
        kind = draw.random()
        if kind < 0.3:
            values = (
                *VALUES,
                np.zeros(3),
                np.zeros((2, 3072), np.float32),
                images[:2],
                np.uint8(1),
            )
            return pickle.dumps(mutated_tree(draw, tree, values), protocol=draw.randrange(5))
        return mutated_bytes(draw, [*seeds, *code] if kind < 0.6 else seeds)

    return Prepared(read, make)


def cache(folder: Path) -> Prepared:
    """Read a cache that is damaged, or whole but odd: the data must be decoded again, or equal."""
    source = write_idx(folder)

    def load() -> Dataset:
        return read_set(source, root=folder, size=3, channels=1, download=False)

    right = load()
    path = folder / ".dlcourse/small.pt"
    whole, content = path.read_bytes(), atomic_files.load_checked(path)

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
        return checked_bytes(odd)

    return Prepared(read, make)
