"""Malicious and foreign pickles in the place of CIFAR's: none runs anything."""

import os
import pickle
import subprocess

import numpy as np
import pytest
from conftest import cifar_files

from dlcourse.data import cifar10 as cifar_module
from dlcourse.data import public_files
from dlcourse.data.cifar_pickle import ForeignPickleError, load_plain
from dlcourse.errors import UserError

IMAGES = np.arange(10 * 3072, dtype=np.uint32).astype(np.uint8).reshape(10, 3072)
BATCH = {"data": IMAGES, "labels": list(range(10)), "batch_label": "training batch 1 of 5"}


class Call:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def as_python_2_wrote_it() -> bytes:
    """Return the opcodes of CIFAR's files: protocol 2, byte strings, numpy.core."""
    binary = IMAGES.tobytes()
    return (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\n"
        b"q\x04K\x00\x85U\x01b\x87Rq\x05(K\x01K\nM\x00\x0c\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01"
        b"\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + len(binary).to_bytes(4, "little") + binary
        + b"tbU\x06labelsq\x08]q\t(K\x00K\x01K\x02K\x03K\x04K\x05K\x06K\x07K\x08K\teu."
    )  # fmt: skip


@pytest.mark.parametrize("protocol", range(2, 6))
def test_arrays_of_every_protocol_are_read_as_numpy_wrote_them(protocol):
    columns_first = np.asfortranarray(IMAGES)
    content = pickle.dumps(BATCH | {"other": columns_first}, protocol=protocol)
    if protocol in (2, 5):  # of Python 3: protocol 2 calls _codecs.encode for bytes, 5 has buffers
        with pytest.raises(ForeignPickleError):
            load_plain(content)
        return
    found = load_plain(content)
    assert np.array_equal(found["data"], IMAGES)
    assert np.array_equal(found["other"], IMAGES)
    assert found["labels"] == BATCH["labels"]


def test_the_opcodes_of_python_2_are_read_as_by_pickle():
    content = as_python_2_wrote_it()
    expected = pickle.loads(content, encoding="latin1")
    found = load_plain(content)
    assert np.array_equal(found["data"], expected["data"])
    assert np.array_equal(found["data"], IMAGES)
    assert found["labels"] == expected["labels"]


def evil(tmp_path):
    """Return pickles that would create the file ``evil`` or else be harmful, by name."""
    mark = str(tmp_path / "evil")
    calls = {
        "os.system": Call(os.system, f"touch {mark}"),
        "open": Call(open, mark, "w"),
        "exec": Call(exec, f"open({mark!r}, 'w')"),
        "subprocess": Call(subprocess.call, ["touch", mark]),
        "getattr": Call(getattr, "x", "upper"),
        "numpy file": Call(np.fromfile, "/etc/passwd", np.uint8),
        "numpy save": Call(np.save, mark, IMAGES),
        "inside a list": [Call(os.system, f"touch {mark}")],
        "array of objects": np.array([Call(os.system, f"touch {mark}")], dtype=object),
        "array of floats": np.zeros(3),
        "a set": {1, 2},
    }
    made = {name: pickle.dumps({"data": call}, 4) for name, call in calls.items()}
    array = b"cnumpy.core.multiarray\n_reconstruct\n"
    doubles = b"cnumpy\nndarray\n(I1000000000000\ntU\x01d\x87R."
    return made | {
        "huge array": b"\x80\x02cnumpy\nndarray\n(I1000000000000\ntU\x02f8\x86R.",
        "huge empty array": b"\x80\x02" + array + doubles,
        "an attribute": b"\x80\x02cnumpy\ndtype\n}U\x08__call__K\x01sb.",
        "a persistent reference": b"\x80\x02U\x01aQ.",
        "an extension": b"\x80\x02\x82\x01.",
        "a text": pickle.dumps("data"),
        "no pickle": b"\x89PNG\r\n\x1a\n",
        "empty": b"",
        "cut": pickle.dumps(BATCH, 4)[:1000],
        "memory": b"\x80\x02}r\xff\xff\xff\x7f.",
    }


NAMES = (
    "os.system", "open", "exec", "subprocess", "getattr", "numpy file", "numpy save",
    "inside a list", "array of objects", "array of floats", "a set", "huge array",
    "huge empty array", "an attribute", "a persistent reference", "an extension", "a text",
    "no pickle", "empty", "cut", "memory",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_malicious_pickle_is_refused_and_creates_no_file(name, tmp_path):
    with pytest.raises(ForeignPickleError):
        load_plain(evil(tmp_path)[name])
    assert list(tmp_path.iterdir()) == []


def test_the_control_shows_that_pickle_itself_would_create_the_file(tmp_path):
    pickle.loads(evil(tmp_path)["os.system"])
    assert (tmp_path / "evil").exists()


def cifar_folder(root, replaced: dict[str, bytes]):
    """Write a small CIFAR-10 with some files replaced; return its files without sums."""
    labels = {f"data_batch_{i}": ["labels"] for i in range(1, 6)} | {"test_batch": ["labels"]}
    files = cifar_files(labels)
    files["batches.meta"] = pickle.dumps({"label_names": [f"class {n}" for n in range(10)]})
    (root / "cifar-10-batches-py").mkdir()
    for name, content in (files | replaced).items():
        (root / "cifar-10-batches-py" / name).write_bytes(content)
    known = public_files.CIFAR10
    return known._replace(files=tuple(file._replace(sha256="") for file in known.files))


def load(root):
    return cifar_module.cifar10(root=root, seed=0, size=32, channels=3, download=False)


@pytest.mark.parametrize("checked", [True, False])
def test_a_malicious_batch_is_refused_with_and_without_its_checksum(checked, tmp_path, monkeypatch):
    root = tmp_path / "root"
    root.mkdir()
    without = cifar_folder(root, {"data_batch_3": evil(tmp_path)["os.system"]})
    reason = "batches.meta is damaged: its SHA-256 sum"
    if not checked:
        monkeypatch.setattr(public_files, "CIFAR10", without)
        reason = "data_batch_3 is damaged: it calls (posix|nt).system"
    with pytest.raises(UserError, match=reason):
        load(root)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        ({"data": IMAGES[:, :-1], "labels": list(range(10))}, "no 3,072 bytes each"),
        ({"labels": list(range(10))}, "no 3,072 bytes each"),
        ({"data": IMAGES, "labels": list(range(9))}, "no list of 10 labels"),
        ({"data": IMAGES, "labels": [*range(9), 10]}, "labels that are not from 0 to 9"),
        ({"data": IMAGES, "labels": [*range(9), -1]}, "labels that are not from 0 to 9"),
        ({"data": IMAGES, "labels": [*range(9), 1.0]}, "labels that are not from 0 to 9"),
        ({"data": IMAGES, "labels": [*range(9), True]}, "labels that are not from 0 to 9"),
    ],
)
def test_a_batch_with_other_shapes_and_labels_is_refused(batch, reason, tmp_path, monkeypatch):
    without = cifar_folder(tmp_path, {"data_batch_2": pickle.dumps(batch, 4)})
    monkeypatch.setattr(public_files, "CIFAR10", without)
    with pytest.raises(UserError, match=f"data_batch_2 is damaged: .*{reason}"):
        load(tmp_path)
