"""SVHN, STL-10 and Tiny ImageNet, from small archives on a local server."""

import io
import zipfile

import numpy as np
import pytest
import scipy.io
import torch
from local_server import packed, sha256, small_set
from PIL import Image
from test_files import server

from dlcourse.data import public_files
from dlcourse.data.stl10 import STL10_CLASSES, stl10
from dlcourse.data.svhn import svhn
from dlcourse.data.tiny_imagenet import tiny_imagenet
from dlcourse.errors import UserError

__all__ = ["server"]  # a fixture

RANDOM = np.random.default_rng(0)


def mat_file(images: np.ndarray, labels: np.ndarray) -> bytes:
    """Return a file of SVHN; images (N, 32, 32, 3), labels from 1 to 10."""
    buffer = io.BytesIO()
    scipy.io.savemat(buffer, {"X": images.transpose(1, 2, 3, 0), "y": labels[:, None]})
    return buffer.getvalue()


@pytest.fixture
def small_svhn(server, monkeypatch):
    """Put a small SVHN on the local server; return the server and the images of each part."""
    made, files = {}, {}
    for part, count in (("train", 12), ("test", 10), ("extra", 20)):
        made[part] = RANDOM.integers(0, 256, (count, 32, 32, 3), np.uint8)
        files[f"{part}_32x32.mat"] = mat_file(made[part], np.arange(count) % 10 + 1)
    monkeypatch.setattr(public_files, "SVHN", small_set(public_files.SVHN, files, server))
    return server, made


def load_svhn(root, **options):
    defaults = {"extra": False, "size": 32, "channels": 3, "download": True}
    return svhn(root=root, seed=0, **defaults | options)


def test_svhn_is_downloaded_read_and_cached(small_svhn, tmp_path):
    served, made = small_svhn
    dataset = load_svhn(tmp_path)
    assert np.array_equal(dataset.train.inputs, made["train"].transpose(0, 3, 1, 2))
    assert dataset.train.targets.tolist() == [*range(1, 10), 0, 1, 2]
    assert dataset.classes == tuple("0123456789")
    requests = len(served.requests)
    assert torch.equal(load_svhn(tmp_path).test.inputs, dataset.test.inputs)
    assert len(served.requests) == requests
    more = load_svhn(tmp_path, extra=True)
    assert len(more.train) == 32
    assert torch.equal(more.train.inputs[:12], dataset.train.inputs)
    assert (tmp_path / "svhn/extra_32x32.mat").exists()
    assert load_svhn(tmp_path, size=16, channels=1).input_shape == (1, 16, 16)


def test_a_download_of_torchvision_is_found_and_a_damaged_file_named(small_svhn, tmp_path):
    served, _ = small_svhn
    for part in ("train", "test"):
        (tmp_path / f"{part}_32x32.mat").write_bytes(served[f"/{part}_32x32.mat"])
    assert len(load_svhn(tmp_path, download=False).train) == 12
    (tmp_path / "other").mkdir()
    (tmp_path / "other/train_32x32.mat").write_bytes(b"x")
    with pytest.raises(UserError, match=r"train_32x32\.mat is damaged"):
        load_svhn(tmp_path / "other")
    with pytest.raises(UserError, match=r"SVHN is not in .*data\.download is false"):
        load_svhn(tmp_path / "nowhere", download=False)


@pytest.fixture
def small_stl10(server, monkeypatch):
    """Put a small STL-10 on the server; return the images of both parts, (N, 3, 96, 96)."""
    made = {part: RANDOM.integers(0, 256, (20, 3, 96, 96), np.uint8) for part in ("train", "test")}
    files = {"fold_indices.txt": b"0 2 4 6\n1 3 5 19\n"}
    for part, images in made.items():
        files[f"{part}_X.bin"] = images.transpose(0, 1, 3, 2).tobytes()  # columns first
        files[f"{part}_y.bin"] = bytes(number % 10 + 1 for number in range(20))
    small = small_set(public_files.STL10, files, server, pinned=False)
    inside = {f"stl10_binary/{name}": content for name, content in files.items()}
    content = packed("stl10_binary.tar.gz", inside | {"stl10_binary/unlabeled_X.bin": bytes(100)})
    server["/stl10_binary.tar.gz"] = content
    (archive,) = small.archives
    unpacked = archive.unpacked + 100
    archive = archive._replace(size=len(content), sha256=sha256(content), unpacked=unpacked)
    monkeypatch.setattr(public_files, "STL10", small._replace(archives=(archive,)))
    return made


def load_stl10(root, **options):
    defaults = {"fold": None, "size": 96, "channels": 3, "download": True}
    return stl10(root=root, seed=0, **defaults | options)


def test_stl10_is_downloaded_read_upright_and_has_the_published_folds(small_stl10, tmp_path):
    dataset = load_stl10(tmp_path)
    assert np.array_equal(dataset.train.inputs, small_stl10["train"])
    assert np.array_equal(dataset.test.inputs, small_stl10["test"])
    assert dataset.test.targets.tolist() == [*range(10)] * 2
    assert (dataset.classes, len(STL10_CLASSES)) == (STL10_CLASSES, 10)
    kept = sorted(path.name for path in (tmp_path / "stl10_binary").iterdir())
    assert kept == [
        "SHA256SUMS",
        "fold_indices.txt",
        "test_X.bin",
        "test_y.bin",
        "train_X.bin",
        "train_y.bin",
    ]
    fold = load_stl10(tmp_path, fold=1, download=False)
    assert torch.equal(fold.train.inputs, dataset.train.inputs[[1, 3, 5, 19]])
    assert torch.equal(fold.test.inputs, dataset.test.inputs)
    with pytest.raises(UserError, match=r"data\.fold=7.*fold_indices\.txt"):
        load_stl10(tmp_path, fold=7)


def tiny_archive() -> tuple[bytes, dict[str, np.ndarray]]:
    """Return a small archive of Tiny ImageNet, and its images by their paths."""
    buffer, made = io.BytesIO(), {}
    with zipfile.ZipFile(buffer, "w") as archive:

        def add(path: str) -> None:
            made[path] = RANDOM.integers(0, 256, (64, 64, 3), np.uint8)
            content = io.BytesIO()
            Image.fromarray(made[path]).save(content, "PNG")  # as .JPEG: the content decides
            archive.writestr(f"tiny-imagenet-200/{path}", content.getvalue())

        archive.writestr("tiny-imagenet-200/", b"")
        for name in ("n02", "n01", "n03"):
            for number in range(3):
                add(f"train/{name}/images/{name}_{number}.JPEG")
        for number in range(4):
            add(f"val/images/val_{number}.JPEG")
        rows = [f"val_{n}.JPEG\tn0{n % 3 + 1}\t0\t0\t9\t9\n" for n in (3, 0, 2, 1)]
        archive.writestr("tiny-imagenet-200/val/val_annotations.txt", "".join(rows))
        words = "n01\tcrane, lifter\nn02\tfish\nn03\tcrane\nn99\tother\n"
        archive.writestr("tiny-imagenet-200/words.txt", words)
    return buffer.getvalue(), made


@pytest.fixture
def small_tiny_imagenet(server, monkeypatch):
    """Put a small Tiny ImageNet on the server; return the server and the images."""
    content, made = tiny_archive()
    server["/tiny-imagenet-200.zip"] = content
    archive = public_files.TINY_IMAGENET_ZIP._replace(
        addresses=(f"{server.address}tiny-imagenet-200.zip",),
        size=len(content),
        sha256=sha256(content),
    )
    monkeypatch.setattr(public_files, "TINY_IMAGENET_ZIP", archive)
    return server, made


def load_tiny(root, **options):
    defaults = {"size": 64, "channels": 3, "memory": 1.0, "workers": 0, "decoder": "pillow",
                "download": True}  # fmt: skip
    return tiny_imagenet(root=root, seed=0, **defaults | options)


def test_tiny_imagenet_is_downloaded_and_tested_on_its_validation_part(
    small_tiny_imagenet, tmp_path
):
    served, made = small_tiny_imagenet
    dataset = load_tiny(tmp_path)
    assert dataset.classes == ("crane (n01)", "fish", "crane (n03)")
    assert dataset.train.targets.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert dataset.test.targets.tolist() == [0, 1, 2, 0]
    first = made["train/n01/images/n01_0.JPEG"].transpose(2, 0, 1)
    assert np.array_equal(dataset.train.inputs[0], first)
    assert np.array_equal(dataset.test.inputs[3], made["val/images/val_3.JPEG"].transpose(2, 0, 1))
    requests = len(served.requests)
    streamed = load_tiny(tmp_path, memory=0.0, download=False)
    ((images, targets),) = streamed.train.batches([torch.tensor([4, 0])])
    assert torch.equal(images, dataset.train.inputs[[4, 0]])
    assert targets.tolist() == [1, 0]
    assert len(served.requests) == requests
    assert sorted(path.name for path in tmp_path.iterdir()) == [".dlcourse", "tiny-imagenet-200"]
    assert not list(tmp_path.rglob("*.part"))


def test_an_interrupted_download_of_tiny_imagenet_leaves_no_folder(small_tiny_imagenet, tmp_path):
    served, _ = small_tiny_imagenet
    served.break_after, served.ranges = 100, False
    with pytest.raises(UserError, match=r"(?s)could not be downloaded.*put"):
        load_tiny(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".dlcourse"]
    with pytest.raises(UserError, match=r"data\.download is false"):
        load_tiny(tmp_path, download=False)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("val/val_annotations.txt", "val_0.JPEG\tn77\t0\n", "no class 'n77'"),
        ("val/val_annotations.txt", "val_9.JPEG\tn01\t0\n", r"val_9\.JPEG is missing"),
        ("train/n02/images/n02_1.JPEG", "broken", r"n02_1\.JPEG is damaged: its SHA-256"),
    ],
)
def test_a_damaged_tiny_imagenet_is_refused(file, content, message, small_tiny_imagenet, tmp_path):
    load_tiny(tmp_path)
    (tmp_path / "tiny-imagenet-200" / file).write_text(content)
    with pytest.raises(UserError, match=message):
        load_tiny(tmp_path)
