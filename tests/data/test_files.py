"""Data on disk: downloads, checksums, damaged files, caches, and a user's own images."""

import gzip
import logging
import os
import pickle
import shutil
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from conftest import cifar_files, idx_files
from local_server import running_server, sha256, small_set
from PIL import Image

from dlcourse import atomic_files
from dlcourse.data import emnist, fetch, public_files
from dlcourse.data.cache import IMAGES_KEY as CACHED_IMAGES
from dlcourse.data.cache import cached
from dlcourse.data.mnist import kmnist, mnist
from dlcourse.engine.datasets import load_data
from dlcourse.errors import UserError


@pytest.fixture
def server(monkeypatch):
    """Serve the contents of the returned dict; the only host that needs no encryption."""
    monkeypatch.setattr(fetch, "PLAIN_HOSTS", {"127.0.0.1"})
    with running_server() as served:
        yield served


@pytest.fixture
def small_mnist(server, monkeypatch):
    """Put a small MNIST on the local server; return the server."""
    small = small_set(public_files.MNIST, idx_files(), server)
    monkeypatch.setattr(public_files, "MNIST", small)
    return server


def load(root, **options):
    return mnist(root=root, seed=0, **{"size": 28, "channels": 1, "download": True, **options})


def test_missing_files_are_downloaded_verified_and_cached(small_mnist, tmp_path):
    dataset = load(tmp_path)
    assert (len(dataset.train), len(dataset.test)) == (20, 10)
    raw = tmp_path / "MNIST/raw"
    assert sorted(path.name for path in raw.iterdir()) == sorted(idx_files())
    images = idx_files()["train-images-idx3-ubyte"][16:]
    assert dataset.train.inputs.numpy().tobytes() == images
    requests = len(small_mnist.requests)
    again = load(tmp_path)
    assert len(small_mnist.requests) == requests
    assert torch.equal(dataset.test.inputs, again.test.inputs)


def test_a_start_from_the_cache_does_not_import_torchvision(small_mnist, tmp_path, monkeypatch):
    load(tmp_path)
    for name in [name for name in sys.modules if name.startswith("torchvision")]:
        monkeypatch.delitem(sys.modules, name)
    load(tmp_path)
    assert not any(name.startswith("torchvision") for name in sys.modules)


def test_an_interrupted_download_is_kept_and_continued_by_the_next_start(small_mnist, tmp_path):
    small_mnist.break_after = 50
    small_mnist.ranges = False
    with pytest.raises(UserError, match=r"(?s)could not be downloaded.*data\.root"):
        load(tmp_path)
    assert list((tmp_path / "MNIST/raw").iterdir()) == []
    small_mnist.break_after, small_mnist.ranges = None, True
    assert len(load(tmp_path).train) == 20
    assert ("/train-images-idx3-ubyte.gz", "bytes=50-") in small_mnist.requests
    assert not list(tmp_path.rglob("*.part"))


def test_a_file_with_another_checksum_is_refused(small_mnist, tmp_path):
    small_mnist["/train-images-idx3-ubyte.gz"] = gzip.compress(b"something else")
    with pytest.raises(UserError, match="could not be downloaded"):
        load(tmp_path)
    assert list((tmp_path / "MNIST/raw").iterdir()) == []


def test_a_failed_download_names_the_server_and_the_remedy(small_mnist, tmp_path):
    small_mnist.clear()
    with pytest.raises(UserError) as raised:
        load(tmp_path)
    text = str(raised.value)
    for archive in public_files.MNIST.archives:
        assert f"{archive.name}  {archive.size:,} bytes  SHA-256 {archive.sha256}" in text
    for part in ("127.0.0.1: it answered 404", str(tmp_path / "MNIST/raw"), "DLCOURSE_DATA",
                 "data=digits"):  # fmt: skip
        assert part in text


def test_with_download_false_nothing_is_downloaded(small_mnist, tmp_path):
    with pytest.raises(UserError, match=r"data\.download is false"):
        load(tmp_path, download=False)
    assert len(small_mnist.requests) == 0


def test_existing_files_are_used_and_a_damaged_one_is_named(small_mnist, tmp_path):
    raw = tmp_path / "MNIST/raw"
    raw.mkdir(parents=True)
    for name, content in idx_files().items():
        (raw / name).write_bytes(content)
    damaged = bytearray(idx_files()["t10k-images-idx3-ubyte"])
    damaged[1000] ^= 1
    (raw / "t10k-images-idx3-ubyte").write_bytes(damaged)
    with pytest.raises(UserError, match=r"t10k-images-idx3-ubyte is damaged"):
        load(tmp_path)
    assert (raw / "t10k-images-idx3-ubyte").read_bytes() == damaged
    (raw / "t10k-images-idx3-ubyte").write_bytes(idx_files()["t10k-images-idx3-ubyte"])
    assert len(load(tmp_path, download=False).test) == 10
    assert len(small_mnist.requests) == 0


def test_a_damaged_cache_is_named_and_rebuilt(small_mnist, tmp_path, caplog):
    first = load(tmp_path)
    cache = tmp_path / ".dlcourse/mnist.pt"
    content = bytearray(cache.read_bytes())
    content[len(content) // 2] ^= 4
    cache.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        second = load(tmp_path)
    assert str(cache) in caplog.text
    assert torch.equal(first.train.inputs, second.train.inputs)
    assert atomic_files.load_checked(cache)["train"][CACHED_IMAGES].shape == (20, 1, 28, 28)


def test_a_cache_that_cannot_be_written_gives_a_warning(tmp_path, caplog):
    (tmp_path / ".dlcourse").write_text("a file in the way")
    with caplog.at_level(logging.WARNING):
        assert cached(tmp_path, "numbers", lambda: {"one": 1}) == {"one": 1}
    assert "cannot be cached" in caplog.text


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        (
            "cifar10",
            {f"data_batch_{i}": ["labels"] for i in range(1, 6)} | {"test_batch": ["labels"]},
        ),
        ("cifar100", {part: ["fine_labels", "coarse_labels"] for part in ("train", "test")}),
    ],
)
def test_cifar_is_downloaded_and_read(name, labels, server, tmp_path, monkeypatch):
    from dlcourse.data import cifar10

    load_cifar = getattr(cifar10, name)
    train = list(labels)[:-1]
    files = cifar_files(labels)
    names = [f"class {number}" for number in range(100 if name == "cifar100" else 10)]
    key, meta = (
        ("fine_label_names", "meta") if name == "cifar100" else ("label_names", "batches.meta")
    )
    files[meta] = pickle.dumps({key: names})
    source = getattr(public_files, name.upper())
    monkeypatch.setattr(public_files, name.upper(), small_set(source, files, server))
    options = {"root": tmp_path, "seed": 0, "size": 32, "channels": 3, "download": True}
    dataset = load_cifar(**options)
    assert dataset.train.inputs.shape == (10 * len(train), 3, 32, 32)
    assert dataset.test.targets.tolist() == list(range(10))
    first = pickle.loads(files[train[0]])["data"][0].reshape(3, 32, 32)
    assert np.array_equal(dataset.train.inputs[0], first)
    if name == "cifar100":
        assert dataset.classes == tuple(names)
    assert load_cifar(**options).classes == dataset.classes
    (tmp_path / f".dlcourse/{name}.pt").unlink()
    (tmp_path / source.folder / train[-1]).write_bytes(b"cposix\nsystem\n")
    with pytest.raises(UserError, match=f"{train[-1]} is damaged"):
        load_cifar(**options)


@pytest.fixture
def small_kmnist(server, monkeypatch):
    """Put a small KMNIST on the local server; return the server."""
    small = small_set(public_files.KMNIST, idx_files(), server, pinned=False)
    monkeypatch.setattr(public_files, "KMNIST", small)
    return server


def load_kmnist(root, **options):
    return kmnist(root=root, seed=0, **{"size": 28, "channels": 1, "download": True, **options})


def test_files_without_known_checksums_are_downloaded_and_read(small_kmnist, tmp_path):
    dataset = load_kmnist(tmp_path)
    assert dataset.classes == ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
    assert (len(dataset.train), len(dataset.test)) == (20, 10)
    raw = tmp_path / "KMNIST/raw"
    stored = raw / "SHA256SUMS"
    assert sorted(path.name for path in raw.iterdir()) == sorted([*idx_files(), stored.name])
    assert f"{sha256(idx_files()[LABELS])}  {LABELS}\n" in stored.read_text()
    (tmp_path / ".dlcourse/kmnist.pt").unlink()
    damaged = bytearray(idx_files()[IMAGE_FILE])
    damaged[1000] ^= 1  # a pixel: no size and no label changes
    (raw / IMAGE_FILE).write_bytes(damaged)
    with pytest.raises(UserError, match=f"{IMAGE_FILE} is damaged: its SHA-256 sum is"):
        load_kmnist(tmp_path)
    stored.unlink()  # the control: without stored sums nothing is noticed
    assert len(load_kmnist(tmp_path).train) == 20
    with pytest.raises(UserError, match=r"data\.download is false"):
        load_kmnist(tmp_path / "elsewhere", download=False)


def test_a_wrong_archive_is_refused(small_kmnist, tmp_path):
    small_kmnist["/t10k-labels-idx1-ubyte.gz"] = gzip.compress(b"something else")
    with pytest.raises(UserError, match="could not be downloaded"):
        load_kmnist(tmp_path)
    assert not (tmp_path / "KMNIST/raw/t10k-labels-idx1-ubyte").exists()
    assert len(list((tmp_path / "KMNIST/raw").glob("*ubyte"))) == 3  # the others are kept


IMAGE_FILE, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (IMAGE_FILE, b"", "its header is not an IDX header"),
        (IMAGE_FILE, b"\0\0\x08\x03", "its header is not an IDX header"),
        (IMAGE_FILE, b"not what was meant at all", "its header is not an IDX header"),
        (IMAGE_FILE, idx_files()[LABELS], "its header is not an IDX header of 3"),
        (
            IMAGE_FILE,
            idx_files()[IMAGE_FILE][:-1],
            r"has 15,695 bytes and should have the sizes \[20",
        ),
        (IMAGE_FILE, idx_files()[IMAGE_FILE] + b"x", r"has 15,697 bytes"),
        (
            IMAGE_FILE,
            idx_files()[IMAGE_FILE.replace("train", "t10k")],
            "has 10 images and .* 20 labels",
        ),
        (LABELS, idx_files()[LABELS][:-1] + b"\x0a", "labels that are not from 0 to 9"),
    ],
    ids=["empty", "cut header", "text", "labels", "cut", "longer", "other part", "strange label"],
)
def test_a_damaged_file_without_a_known_checksum_is_refused(file, content, message, tmp_path):
    raw = tmp_path / "KMNIST/raw"
    raw.mkdir(parents=True)
    for name, good in idx_files().items():
        (raw / name).write_bytes(good)
    (raw / file).write_bytes(content)
    with pytest.raises(UserError, match=f"(?s){file}.*{message}.*Delete"):
        load_kmnist(tmp_path, download=False)
    (raw / file).write_bytes(idx_files()[file])
    assert len(load_kmnist(tmp_path, download=False).train) == 20


def emnist_files() -> dict[str, bytes]:
    """Return the files of all parts of a small EMNIST; labels of the part letters start at 1."""
    files = {}
    for part in emnist.PART_CLASSES:
        for name, content in idx_files().items():
            file = name.replace("train", f"emnist-{part}-train")
            file = file.replace("t10k", f"emnist-{part}-test")
            letters = part == "letters" and "labels" in name
            files[file] = content[:8] + bytes(label + letters for label in content[8:])
    return files


@pytest.fixture
def small_emnist(server, monkeypatch):
    """Put a small EMNIST on the local server; return the server."""
    small = small_set(public_files.EMNIST, emnist_files(), server, pinned=False)
    monkeypatch.setattr(public_files, "EMNIST", small)
    return server


def load_emnist(root, part):
    return emnist.emnist(root=root, seed=0, part=part, size=28, channels=1, download=True)


def test_one_download_of_emnist_serves_all_its_parts(small_emnist, tmp_path):
    letters = load_emnist(tmp_path, "letters")
    requests = len(small_emnist.requests)
    assert letters.train.targets.tolist() == [*range(10), *range(10)]
    raw = tmp_path / "EMNIST/raw"
    assert sorted(path.name for path in raw.iterdir()) == sorted([*emnist_files(), "SHA256SUMS"])
    for part in ("balanced", "byclass", "bymerge", "mnist"):
        load_emnist(tmp_path, part)
    assert len(small_emnist.requests) == requests
    (raw / "emnist-digits-test-labels-idx1-ubyte").unlink()
    assert len(load_emnist(tmp_path, "digits").test) == 10
    assert len(small_emnist.requests) == 2 * requests


def test_the_images_of_emnist_are_upright(small_emnist, tmp_path):
    dataset = load_emnist(tmp_path, "balanced")
    transposed = np.frombuffer(idx_files()[IMAGE_FILE], np.uint8, offset=16).reshape(20, 28, 28)
    assert np.array_equal(dataset.train.inputs[:, 0], transposed.swapaxes(1, 2))


@pytest.mark.parametrize("part", emnist.PART_CLASSES)
def test_the_classes_of_emnist_are_those_of_torchvision(part):
    from torchvision.datasets import EMNIST

    theirs = [name for name in EMNIST.classes_split_dict[part] if name != "N/A"]
    assert list(emnist.PART_CLASSES[part]) == theirs


def test_notmnist_names_the_expected_folder(tmp_path, compose):
    with pytest.raises(UserError, match=r"(?s)notMNIST_small.*Unpack notMNIST_small\.tar\.gz"):
        load_data(compose("data=notmnist", f"data.root={tmp_path}"))


def test_the_damaged_images_of_notmnist_are_left_out(tmp_path, compose, caplog):
    for letter in "ABCDEFGHIJ":
        for number in range(5):
            paint(tmp_path / f"notMNIST_small/{letter}/{number}.png", number, mode="L")
    damaged = tmp_path / "notMNIST_small/F/3.png"
    damaged.write_bytes(b"")
    overrides = ("data=notmnist", f"data.root={tmp_path}", "data.workers=0")
    for _ in range(2):  # from the files, and from the cache
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            dataset = load_data(compose(*overrides))
        assert f"1 of 50 images cannot be read and are left out: {damaged}" in caplog.text
        assert dataset.input_shape == (1, 28, 28)
        counts = torch.bincount(torch.cat([dataset.train.targets, dataset.test.targets]))
        assert counts.tolist() == [5, 5, 5, 5, 5, 4, 5, 5, 5, 5]
    with pytest.raises(UserError, match=r"(?s)3\.png cannot be read.*data\.damaged=skip"):
        load_data(compose(*overrides, "data.damaged=refuse"))


def test_a_class_with_only_damaged_images_is_named(folder, compose):
    for path in folder.glob("cat/*.png"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match="No image of cat"):
        images(compose, folder, "data.damaged=skip")


def paint(path, shade, *, mode="RGB", size=(12, 10)):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", size, shade)
    (image if mode == "L" else image.convert(mode)).save(path)


@pytest.fixture
def folder(tmp_path):
    """Return a folder with ten images in each of two classes."""
    for number in range(10):
        paint(tmp_path / f"pets/cat/{number}.png", 200 + number)
        paint(tmp_path / f"pets/dog é/{number}.jpg", 20)
    paint(tmp_path / "pets/cat/.hidden.png", 1)
    (tmp_path / "pets/notes.txt").write_text("not an image")
    (tmp_path / "pets/cat/notes.txt").write_text("not an image")
    return tmp_path / "pets"


def images(compose, folder, *overrides):
    return load_data(compose("data=image_folder", *overrides, f"data.root='{folder}'"))


def test_a_folder_of_images_is_read_as_a_data_set(folder, compose):
    dataset = images(compose, folder)
    assert dataset.classes == ("cat", "dog é")
    assert (len(dataset.train), len(dataset.test)) == (16, 4)
    assert dataset.input_shape == (3, 32, 32)
    for split in (dataset.train, dataset.test):
        assert torch.bincount(split.targets).tolist() == [len(split) // 2] * 2
        for image, target in zip(split.inputs, split.targets, strict=True):
            assert (image.float().mean() > 100) == (target == 0)


def test_the_order_in_which_a_folder_is_listed_does_not_matter(folder, compose, monkeypatch):
    usual = images(compose, folder)
    shutil.rmtree(folder / ".dlcourse")
    scandir, listed = os.scandir, []

    @contextmanager
    def backwards(path):
        with scandir(path) as entries:
            listed.append(path)
            yield reversed(list(entries))

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", backwards)
        other = images(compose, folder)
    assert listed
    assert torch.equal(usual.train.inputs, other.train.inputs)
    assert torch.equal(usual.test.targets, other.test.targets)


def test_images_can_be_grey_and_of_any_size(folder, compose):
    assert images(compose, folder, "data.channels=1", "data.size=9").input_shape == (1, 9, 9)


def test_the_decoded_images_are_cached_until_one_changes(folder, compose):
    images(compose, folder)
    (cache,) = (folder / ".dlcourse").glob("*.pt")
    paint(folder / "cat/new.png", 250)
    dataset = images(compose, folder)
    assert len(dataset.train) + len(dataset.test) == 21
    (new,) = (folder / ".dlcourse").glob("*.pt")  # the old cache of these files is removed
    assert new != cache


def test_an_image_replaced_with_the_same_size_and_time_is_decoded_again(folder, compose):
    path = folder / "cat/new.png"
    paint(path, 150)
    images(compose, folder)
    before = path.stat()
    paint(path, 151)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as cp -p and rsync -t do
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    dataset = images(compose, folder)
    values = torch.cat([dataset.train.inputs, dataset.test.inputs])[:, 0, 0, 0].tolist()
    assert 151 in values
    assert 150 not in values
    assert len(list((folder / ".dlcourse").glob("*.pt"))) == 1  # the old cache is removed


def test_folders_train_val_and_test_are_the_three_parts(tmp_path, compose):
    for part, count in (("train", 6), ("val", 3), ("test", 2)):
        for number in range(count):
            paint(tmp_path / f"{part}/cat/{number}.png", 200)
            paint(tmp_path / f"{part}/dog/{number}.png", 20)
    dataset = images(compose, tmp_path)
    assert (len(dataset.train), dataset.ready_val, len(dataset.test)) == (18, 6, 4)
    from dlcourse.engine.datasets import split_training_data

    cfg = compose("data=image_folder")
    (part,) = split_training_data(cfg, dataset)
    assert part.val.tolist() == list(range(12, 18))


def test_folders_train_and_test_leave_the_validation_part_to_the_split(tmp_path, compose):
    for part in ("train", "test"):
        for number in range(5):
            paint(tmp_path / f"{part}/cat/{number}.png", 200)
            paint(tmp_path / f"{part}/dog/{number}.png", 20)
    dataset = images(compose, tmp_path)
    assert (len(dataset.train), dataset.ready_val, len(dataset.test)) == (10, 0, 10)


def test_without_a_test_folder_the_test_part_is_taken_from_the_training_images_only(
    tmp_path, compose
):
    for part, shades in {"train": range(20), "val": range(100, 110)}.items():
        for shade in shades:
            paint(tmp_path / part / "ab"[shade % 2] / f"{shade}.png", shade)
    dataset = images(compose, tmp_path, "data.channels=1")
    train, test = (
        {image.max().item() for image in split.inputs} for split in (dataset.train, dataset.test)
    )
    assert dataset.ready_val == 10
    assert [image.max().item() for image in dataset.train.inputs[-10:]] == sorted(
        range(100, 110), key=lambda shade: shade % 2
    )
    assert len(test) == 4
    assert max(test) < 20
    assert not train & test


def test_a_test_class_without_training_images_is_named(tmp_path, compose):
    for place in ("train/cat", "train/dog", "test/cat", "test/bird"):
        paint(tmp_path / place / "1.png", 9)
    with pytest.raises(UserError, match="bird"):
        images(compose, tmp_path)


def test_a_damaged_image_is_named(folder, compose):
    (folder / "cat/3.png").write_bytes((folder / "cat/3.png").read_bytes()[:40])
    with pytest.raises(UserError, match=r"3\.png cannot be read"):
        images(compose, folder)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_images_of_every_colour_mode_are_read(mode, folder, compose):
    paint(folder / "cat/other.tif", 255, mode=mode)
    assert len(images(compose, folder).train) == 17


def test_a_16_bit_grey_image_is_scaled_to_8_bits_and_not_clipped(tmp_path):
    from dlcourse.data.image_file import Reading, read_image

    Image.fromarray(np.full((8, 8), 32_896, dtype=np.uint16)).save(tmp_path / "deep.png")
    assert read_image(tmp_path / "deep.png", Reading(8, 1)).ravel().tolist() == [128] * 64


@pytest.mark.parametrize("classes", [[], ["cat"]])
def test_fewer_than_two_classes_are_refused(classes, tmp_path, compose):
    for name in classes:
        paint(tmp_path / name / "1.png", 9)
    with pytest.raises(UserError, match="at least 2"):
        images(compose, tmp_path)


def test_an_empty_class_is_named(folder, compose):
    (folder / "bird").mkdir()
    with pytest.raises(UserError, match="bird"):
        images(compose, folder)
