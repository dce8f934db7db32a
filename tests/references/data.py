"""How far the examples of every data set are from those of its source."""

import pickle
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import numpy as np
import pandas
import torch
import torchvision.datasets
from conftest import cifar_files, idx_files
from PIL import Image
from references.data_files import ROWS_OF_FILES, without_sums
from references.row import Row
from sklearn.datasets import load_diabetes, load_digits, make_blobs, make_circles, make_moons

from dlcourse.data import public_files
from dlcourse.engine.datasets import load_data
from dlcourse.random_streams import Purpose, mix

LETTERS = "ABCDEFGHIJ"


def furthest(ours, theirs) -> float:
    """Return the largest difference of two arrays, infinite if they differ in shape."""
    ours, theirs = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    return float(np.abs(ours - theirs).max()) if ours.shape == theirs.shape else np.inf


def examples(dataset) -> np.ndarray:
    """Return all examples, those of the test part too, as sorted rows of inputs and targets."""
    rows = [
        torch.cat([part.inputs.flatten(1).double(), part.targets.view(len(part), -1)], dim=1)
        for part in (dataset.train, dataset.test)
    ]
    return in_order(torch.cat(rows).numpy())


def in_order(rows: np.ndarray) -> np.ndarray:
    return rows[np.lexsort(rows.T)]


def digits(compose):
    dataset = load_data(compose("data=digits", "data.size=8"))
    source = load_digits()
    grey = np.round(source.data * 255 / 16)
    return furthest(examples(dataset), in_order(np.column_stack([grey, source.target])))


def from_idx(name, folder, *, prefixes=("train", "t10k"), letters=False, overrides=()):
    """Return the deviation of a set from the bytes of its files."""

    def deviation(compose):
        files = {
            key.replace("train", prefixes[0]).replace("t10k", prefixes[1]): content
            for key, content in idx_files().items()
        }
        for key, content in files.items():
            if letters and "labels" in key:  # letters are numbered from 1
                files[key] = content[:8] + bytes(label + 1 for label in content[8:])
        with tempfile.TemporaryDirectory() as root, ExitStack() as stack:
            raw = Path(root, folder, "raw")
            raw.mkdir(parents=True)
            for file, content in files.items():
                (raw / file).write_bytes(content)
            for known in ("MNIST", "FASHION_MNIST"):
                stack.enter_context(
                    mock.patch.object(
                        public_files, known, without_sums(getattr(public_files, known))
                    )
                )
            dataset = load_data(compose(f"data={name}", *overrides, f"data.root={root}"))
        worst = 0.0
        for part, prefix in zip((dataset.train, dataset.test), prefixes, strict=True):
            pixels = np.frombuffer(files[f"{prefix}-images-idx3-ubyte"], np.uint8, offset=16)
            labels = np.frombuffer(files[f"{prefix}-labels-idx1-ubyte"], np.uint8, offset=8)
            pixels = pixels.reshape(-1, 28, 28)
            pixels = pixels.swapaxes(1, 2) if letters else pixels
            worst = max(worst, furthest(part.inputs[:, 0], pixels))
            worst = max(worst, furthest(part.targets, labels.astype(int) - letters))
        return worst

    return deviation


def cifar(name, source, labels, key, classes):
    """Return the deviation of a set from the arrays in its pickles."""

    def deviation(compose):
        files = cifar_files(labels)
        names = [f"class {number}" for number in range(classes)]
        meta = source.meta
        with tempfile.TemporaryDirectory() as root, ExitStack() as stack:
            folder = Path(root, source.base_folder)
            folder.mkdir()
            for file, content in files.items():
                (folder / file).write_bytes(content)
            (folder / meta["filename"]).write_bytes(pickle.dumps({meta["key"]: names}))
            known = without_sums(getattr(public_files, name.upper()))
            stack.enter_context(mock.patch.object(public_files, name.upper(), known))
            dataset = load_data(compose(f"data={name}", f"data.root={root}"))
        assert len(dataset.classes) == classes
        contents = [pickle.loads(content) for content in files.values()]
        pixels = np.concatenate([content["data"].reshape(-1, 3, 32, 32) for content in contents])
        targets = np.concatenate([content[key] for content in contents])
        return max(
            furthest(torch.cat([dataset.train.inputs, dataset.test.inputs]), pixels),
            furthest(torch.cat([dataset.train.targets, dataset.test.targets]), targets),
        )

    return deviation


def folder(name, mode, overrides):
    """Return the deviation of an image folder from Pillow's own reading of its files."""

    def deviation(compose):
        random, rows = np.random.default_rng(0), []
        with tempfile.TemporaryDirectory() as root:
            for target, letter in enumerate(LETTERS):
                place = Path(root, "images", letter)
                place.mkdir(parents=True)
                for number in range(5):
                    pixels = random.integers(0, 256, (28, 28, 3), dtype=np.uint8)
                    Image.fromarray(pixels).save(place / f"{number}.png")
                    image = Image.fromarray(pixels).convert(mode)
                    image = image.resize((20, 20), Image.Resampling.BILINEAR)
                    planes = np.array(image).reshape(20, 20, -1).transpose(2, 0, 1)
                    rows.append([*planes.ravel(), target])
            all_overrides = [*overrides, "data.size=20", "data.workers=0", "data.folder=images"]
            dataset = load_data(compose(f"data={name}", *all_overrides, f"data.root={root}"))
        assert dataset.classes == tuple(LETTERS)
        return furthest(examples(dataset), in_order(np.array(rows)))

    return deviation


def gates(compose):
    functions = {
        "and": lambda a, b: a and b,
        "or": lambda a, b: a or b,
        "xor": lambda a, b: a != b,
        "nand": lambda a, b: not (a and b),
        "nor": lambda a, b: not (a or b),
        "xnor": lambda a, b: a == b,
    }
    worst = 0.0
    for name, function in functions.items():
        dataset = load_data(compose("data=gates", f"data.gate={name}"))
        table = [[a, b, int(function(a, b))] for a in (0, 1) for b in (0, 1)]
        for part, times in ((dataset.train, 2), (dataset.test, 1)):
            rows = torch.column_stack([part.inputs, part.targets])
            worst = max(worst, furthest(rows, table * times))
    return worst


def generated(name, make, **keywords):
    """Return the deviation of a made-up set from scikit-learn's generator."""

    def deviation(compose):
        dataset = load_data(compose(f"data={name}", "data.seed=3", "data.train_examples=500"))
        start = mix(3, 0, Purpose.MADE_UP) % 2**32
        points, classes = make(500, random_state=np.random.RandomState(start), **keywords)
        return max(furthest(dataset.train.inputs, points), furthest(dataset.train.targets, classes))

    return deviation


def spirals(compose):
    dataset = load_data(compose("data=spirals"))
    i = np.arange(97)
    angle, radius = i * np.pi / 16, 6.5 * (104 - i) / 104
    arm = radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return max(
        furthest(dataset.train.inputs, np.concatenate([arm, -arm])),
        furthest(dataset.train.targets, np.repeat([0, 1], 97)),
    )


def sine(compose):
    train = load_data(compose("data=sine", "data.noise=0")).train
    return furthest(train.targets, np.sin(2 * np.pi * train.inputs.double().numpy()))


def linear(compose):
    train = load_data(compose("data=linear", "data.noise=0.5", "data.train_examples=200000")).train
    x = np.column_stack([train.inputs.double().numpy(), np.ones(len(train))])
    t = train.targets.double().numpy()
    found, (squares,), *_ = np.linalg.lstsq(x, t)
    noise = np.sqrt(squares / len(t))
    return max(furthest(found[:, 0], [2.0, -3.0, 0.5, 1.0]), abs(float(noise) - 0.5))


def diabetes(compose):
    source = load_diabetes(scaled=False)
    rows = np.column_stack([source.data, source.target]).astype(np.float32)
    return furthest(examples(load_data(compose("data=diabetes"))), in_order(rows))


def csv(compose):
    random = np.random.default_rng(0)
    table = np.column_stack([random.normal(0, 100, (50, 3)), random.integers(0, 3, 50)])
    with tempfile.TemporaryDirectory() as root:
        path = Path(root, "table.csv")
        np.savetxt(path, table, delimiter=",", header="a,b,c,target", comments="")
        theirs = np.genfromtxt(path, delimiter=",", skip_header=1)
        dataset = load_data(compose("data=csv", f"data.root={root}"))
    return furthest(examples(dataset), in_order(theirs.astype(np.float32)))


def parquet(compose):
    random = np.random.default_rng(0)
    table = pandas.DataFrame(random.normal(0, 100, (50, 3)), columns=["a", "b", "c"])
    table["target"] = random.integers(0, 3, 50)
    with tempfile.TemporaryDirectory() as root:
        table.to_parquet(Path(root, "table.parquet"))
        dataset = load_data(compose("data=parquet", f"data.root={root}"))
    return furthest(examples(dataset), in_order(table.to_numpy().astype(np.float32)))


def in_memory(compose):
    """Return how far the examples of a data set are from the arrays that ``fit`` was given."""
    from dlcourse.api.estimator import arrays_as_dataset

    x, y = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32), np.arange(7) % 2
    made = arrays_as_dataset(torch.from_numpy(x.copy()), torch.from_numpy(y.copy()), classes="ab")
    assert (made.train.targets.numpy() == y).all()
    return np.abs(made.train.inputs.numpy() - x).max()


ROWS = {
    "in_memory": Row("the arrays themselves", in_memory, 0),
    "digits": Row("scikit-learn load_digits, all 1,797", digits, 0.0),
    "mnist": Row("the bytes of IDX files, by numpy", from_idx("mnist", "MNIST"), 0.0),
    "fashion_mnist": Row(
        "the bytes of IDX files, by numpy", from_idx("fashion_mnist", "FashionMNIST"), 0.0
    ),
    "kmnist": Row("the bytes of IDX files, by numpy", from_idx("kmnist", "KMNIST"), 0.0),
    "emnist": Row(
        "the bytes of IDX files, by numpy, transposed",
        from_idx(
            "emnist",
            "EMNIST",
            prefixes=("emnist-letters-train", "emnist-letters-test"),
            letters=True,
            overrides=["data.part=letters"],
        ),
        0.0,
    ),
    "notmnist": Row("files read by Pillow", folder("notmnist", "L", []), 0.0),
    "cifar10": Row(
        "the arrays in the pickles",
        cifar(
            "cifar10",
            torchvision.datasets.CIFAR10,
            {f"data_batch_{i}": ["labels"] for i in range(1, 6)} | {"test_batch": ["labels"]},
            "labels",
            10,
        ),
        0.0,
    ),
    "cifar100": Row(
        "the arrays in the pickles, fine labels",
        cifar(
            "cifar100",
            torchvision.datasets.CIFAR100,
            {name: ["fine_labels", "coarse_labels"] for name in ("train", "test")},
            "fine_labels",
            100,
        ),
        0.0,
    ),
    "image_folder": Row("files read by Pillow", folder("image_folder", "RGB", []), 0.0),
    "gates": Row("Python's operators", gates, 0.0),
    "moons": Row("scikit-learn make_moons", generated("moons", make_moons, noise=0.1), 1e-6),
    "circles": Row(
        "scikit-learn make_circles",
        generated("circles", make_circles, noise=0.1, factor=0.5),
        1e-6,
    ),
    "blobs": Row("scikit-learn make_blobs", generated("blobs", make_blobs, centers=3), 1e-6),
    "spirals": Row("Lang and Witbrock's formula, 2 x 97 points", spirals, 1e-5),
    "sine": Row("sin(2 pi x) in double precision", sine, 1e-6),
    "linear": Row("least squares on 200,000 examples finds w, bias and noise", linear, 5e-3),
    "diabetes": Row("scikit-learn load_diabetes, not scaled, all 442", diabetes, 0.0),
    "csv": Row("numpy.genfromtxt", csv, 0.0),
    "parquet": Row("the pandas DataFrame that was written", parquet, 0.0),
    **ROWS_OF_FILES,
}
