"""How far data sets from files and functions are from what other libraries read of them."""

import sys
import tempfile
import types
from pathlib import Path
from unittest import mock

import datasets
import numpy as np
import scipy.io
import torch
import torchvision.datasets
from PIL import Image
from references.row import Row

from dlcourse.data import public_files
from dlcourse.engine.datasets import load_data

RANDOM = np.random.default_rng(0)
TARGETS = np.arange(30) % 10


def colours(count: int = 30, side: int = 32) -> np.ndarray:
    """Return images of noise (count, side, side, 3)."""
    return RANDOM.integers(0, 256, (count, side, side, 3), np.uint8)


def apart(dataset, train, test) -> float:
    """Return the largest difference of both parts from pairs of images (N, C, H, W) and targets."""
    return max(
        float(np.abs(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)).max())
        for part, pair in ((dataset.train, train), (dataset.test, test))
        for ours, theirs in zip((part.inputs, part.targets), pair, strict=True)
    )


def first(images: np.ndarray) -> np.ndarray:
    """Return images (N, H, W, C) as (N, C, H, W)."""
    return images.transpose(0, 3, 1, 2)


def without_sums(source: public_files.PublicSet) -> public_files.PublicSet:
    """Return a public set of which no sum is known, so that other files may have its names."""
    return source._replace(files=tuple(file._replace(sha256="", md5="") for file in source.files))


def npz(compose):
    train, test = colours(), colours()
    with tempfile.TemporaryDirectory() as root:
        np.savez(Path(root, "data.npz"), x_train=train, y_train=TARGETS, x_test=test,
                 y_test=TARGETS)  # fmt: skip
        dataset = load_data(compose("data=npz", f"data.root={root}"))
    return apart(dataset, (first(train), TARGETS), (first(test), TARGETS))


def function(compose):
    train, test = colours(), colours()
    module = types.ModuleType("my_reference")
    module.load = lambda: (train, TARGETS, test, TARGETS)
    with mock.patch.dict(sys.modules, my_reference=module):
        dataset = load_data(compose("data=function", "data.function=my_reference.load"))
    return apart(dataset, (first(train), TARGETS), (first(test), TARGETS))


def huggingface(compose):
    features = datasets.Features(
        img=datasets.Image(), label=datasets.ClassLabel(names=list("abcdefghij"))
    )
    with tempfile.TemporaryDirectory() as root:
        parts = {
            name: datasets.Dataset.from_dict(
                {"img": list(map(Image.fromarray, colours())), "label": TARGETS.tolist()}, features
            )
            for name in ("train", "test")
        }
        datasets.DatasetDict(parts).save_to_disk(Path(root, "my_set"))
        dataset = load_data(compose("data=huggingface", f"data.root={root}", "data.path=my_set"))
        stored = datasets.load_from_disk(str(Path(root, "my_set")))
        train, test = (
            (first(np.stack([np.asarray(row["img"]) for row in stored[name]])), TARGETS)
            for name in ("train", "test")
        )
    return apart(dataset, train, test)


def svhn(compose):
    source = torchvision.datasets.SVHN
    with tempfile.TemporaryDirectory() as root:
        listed = {}
        for part in ("train", "test"):
            content = {"X": colours().transpose(1, 2, 3, 0), "y": TARGETS[:, None] + 1}
            scipy.io.savemat(Path(root, f"{part}_32x32.mat"), content)
            listed[part] = ["", f"{part}_32x32.mat", None]
        ours = mock.patch.object(public_files, "SVHN", without_sums(public_files.SVHN))
        with mock.patch.object(source, "split_list", listed), ours:
            dataset = load_data(compose("data=svhn", f"data.root={root}"))
            theirs = [source(root, split=part) for part in ("train", "test")]
    return apart(dataset, *((one.data, one.labels) for one in theirs))


def stl10(compose):
    source = torchvision.datasets.STL10
    files = {"train_X.bin": colours(30, 96), "train_y.bin": (TARGETS + 1).astype(np.uint8),
             "unlabeled_X.bin": colours(1, 96), "test_X.bin": colours(30, 96),
             "test_y.bin": (TARGETS + 1).astype(np.uint8)}  # fmt: skip
    lists = [[name, None] for name in files]
    with tempfile.TemporaryDirectory() as root:
        Path(root, "stl10_binary").mkdir()
        for name, content in files.items():
            Path(root, "stl10_binary", name).write_bytes(content.tobytes())
        ours = mock.patch.object(public_files, "STL10", without_sums(public_files.STL10))
        with mock.patch.multiple(source, train_list=lists[:3], test_list=lists[3:]), ours:
            dataset = load_data(compose("data=stl10", f"data.root={root}"))
            theirs = [source(root, split=part) for part in ("train", "test")]
    return apart(dataset, *((one.data, one.labels) for one in theirs))


def tiny_imagenet(compose):
    train, test, names = colours(6, 64), colours(3, 64), ("n1", "n2", "n3")
    with tempfile.TemporaryDirectory() as root:
        top = Path(root, "tiny-imagenet-200")
        for number, pixels in enumerate(train):
            folder = top / "train" / names[number // 2] / "images"
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / f"{number}.png")
        (top / "val/images").mkdir(parents=True)
        for number, pixels in enumerate(test):
            Image.fromarray(pixels).save(top / "val/images" / f"{number}.png")
        lines = [f"{number}.png\t{name}\t0\t0\t1\t1\n" for number, name in enumerate(names)]
        (top / "val/val_annotations.txt").write_text("".join(lines))
        dataset = load_data(compose("data=tiny_imagenet", f"data.root={root}"))
    targets = torch.tensor([0, 0, 1, 1, 2, 2])
    return apart(dataset, (first(train), targets), (first(test), torch.arange(3)))


ROWS_OF_FILES = {
    "npz": Row("the arrays that numpy wrote", npz, 0.0),
    "function": Row("the arrays that the function returned", function, 0.0),
    "huggingface": Row("datasets.load_from_disk", huggingface, 0.0),
    "svhn": Row("torchvision SVHN", svhn, 0.0),
    "stl10": Row("torchvision STL10", stl10, 0.0),
    "tiny_imagenet": Row("the pixels that Pillow wrote", tiny_imagenet, 0.0),
}
