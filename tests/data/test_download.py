"""Downloads as a run makes them: several processes, kills, full disks, files put there by hand."""

import io
import multiprocessing
import os
import re
import resource
import signal
import time

import pytest
from conftest import idx_files
from local_server import running_server, small_set

from dlcourse.data import download, fetch, public_files, verified
from dlcourse.data.download import ensure_files
from dlcourse.data.verified import read_verified
from dlcourse.errors import UserError

CONTEXT = multiprocessing.get_context("fork")
IMAGES = "train-images-idx3-ubyte"


@pytest.fixture
def small(monkeypatch):
    """Return a server and a small Fashion-MNIST on it."""
    monkeypatch.setattr(fetch, "PLAIN_HOSTS", {"127.0.0.1"})
    with running_server() as server:
        yield server, small_set(public_files.FASHION_MNIST, idx_files(), server)


def ensure(source, root, *, allowed=True):
    ensure_files(source, root, root / source.folder, idx_files(), download=allowed)


def result_of(connection, function):
    """Send the message of a UserError, the rest of stderr, or "" to the process that waits."""
    try:
        function()
        connection.send("")
    except UserError as error:
        connection.send(str(error))
    except BaseException as error:
        connection.send(f"TRACEBACK {error!r}")
    os._exit(0)


def in_a_process(function):
    """Call a function in a forked process; return the process and what its result is read from."""
    receiver, sender = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=result_of, args=(sender, function))
    process.start()
    return process, receiver


def slowly(server, name, seconds):
    """Let a server send a file in two halves with a pause between."""
    content = server[name]

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: len(content) // 2])
        time.sleep(seconds)
        handler.wfile.write(content[len(content) // 2 :])

    server[name] = answer
    return content


def test_of_three_processes_one_downloads_and_the_others_wait(small, tmp_path, capfd):
    server, source = small
    slowly(server, f"/{IMAGES}.gz", 0.4)
    started = [in_a_process(lambda: ensure(source, tmp_path)) for _ in range(3)]
    assert [receiver.recv() for _, receiver in started] == ["", "", ""]
    assert sorted(name for name, _ in server.requests) == sorted(f"/{f}.gz" for f in idx_files())
    told = capfd.readouterr().err
    assert told.count("Downloading Fashion-MNIST (0.0 MB)") == 1
    assert told.count("Another process is downloading Fashion-MNIST; waiting for it") == 2
    for _, receiver in started:
        receiver.close()


def test_a_killed_download_is_continued_and_blocks_nobody(small, tmp_path):
    server, source = small
    content = slowly(server, f"/{IMAGES}.gz", 30)
    process, receiver = in_a_process(lambda: ensure(source, tmp_path))
    part = tmp_path / f".dlcourse/downloads/Fashion-MNIST/{IMAGES}.gz.part"
    while not part.exists() or not part.stat().st_size:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    receiver.close()
    (tmp_path / source.folder / ".unpack-old").mkdir()  # as a kill while unpacking leaves it
    server[f"/{IMAGES}.gz"] = content
    ensure(source, tmp_path)
    assert (f"/{IMAGES}.gz", f"bytes={len(content) // 2}-") in server.requests
    folder = tmp_path / source.folder
    assert sorted(path.name for path in folder.iterdir()) == sorted(idx_files())
    for name, expected in idx_files().items():
        assert read_verified(source, folder, name) == expected


def test_a_full_disk_is_one_message_and_leaves_no_partial_file(small, tmp_path):
    _, source = small

    def limited():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))  # writing more fails
        ensure(source, tmp_path)

    _, receiver = in_a_process(limited)
    text = receiver.recv()
    assert re.search(
        r"Fashion-MNIST cannot be downloaded: \S+gz\.part cannot be written: a file "
        r"may not be larger \([\d.]+ kB needed, 5\.0 kB allowed\)\.\nMake room",
        text,
    )
    assert not list(tmp_path.rglob("*.part"))
    ensure(source, tmp_path)


def test_too_little_room_is_said_before_anything_is_downloaded(small, tmp_path):
    server, source = small
    huge = [archive._replace(unpacked=10**18) for archive in source.archives]
    with pytest.raises(UserError, match=r"needs up to 4,000,000,000,000 MB .* are free"):
        ensure(source._replace(archives=tuple(huge)), tmp_path)
    assert server.requests == []


def test_a_folder_that_cannot_be_written_is_one_message(small, tmp_path):
    _, source = small
    (tmp_path / "root").write_text("a file in the way")
    with pytest.raises(UserError, match=r"(?s)cannot be written there: .*data\.root=.*data=digits"):
        ensure(source, tmp_path / "root")


@pytest.mark.parametrize("place", ["folder", "root"])
def test_archives_put_there_by_hand_are_unpacked_without_a_network(place, small, tmp_path):
    server, _ = small
    source = public_files.CIFAR100
    files = {file.name: file.name.encode() * 9 for file in source.files}
    source = small_set(source, files, server, pinned=False)
    (archive,) = source.archives
    folder = tmp_path / source.folder
    folder.mkdir()
    by_hand = (folder if place == "folder" else tmp_path) / archive.name
    content = server[f"/{archive.name}"]
    by_hand.write_bytes(content)
    ensure_files(source, tmp_path, folder, files, download=False)
    assert {name: (folder / name).read_bytes() for name in files} == files
    assert by_hand.exists()
    assert server.requests == []
    (folder / "meta").unlink()
    by_hand.write_bytes(content[:-1] + b"x")
    with pytest.raises(UserError, match=r"cifar-100-python\.tar\.gz is damaged: its SHA-256 sum"):
        ensure_files(source, tmp_path, folder, files, download=False)


def test_other_compressed_files_with_the_right_content_are_taken(small, tmp_path):
    import gzip

    _, source = small
    (tmp_path / source.folder).mkdir(parents=True)
    for name, content in idx_files().items():
        again = gzip.compress(content, 1)
        (tmp_path / source.folder / f"{name}.gz").write_bytes(again)
    ensure(source, tmp_path, allowed=False)
    wrong = tmp_path / source.folder / f"{IMAGES}.gz"
    wrong.write_bytes(gzip.compress(idx_files()[IMAGES][:-1] + b"x"))
    (tmp_path / source.folder / IMAGES).unlink()
    with pytest.raises(UserError, match=rf"{IMAGES}\.gz is damaged: {IMAGES} in it has the sum"):
        ensure(source, tmp_path, allowed=False)
    assert not (tmp_path / source.folder / IMAGES).exists()


def test_progress_is_printed_every_minute_without_a_terminal(small, tmp_path, monkeypatch, capsys):
    _, source = small
    monkeypatch.setattr(download, "SECONDS_BETWEEN_LINES", -1)
    ensure(source, tmp_path)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"Downloading Fashion-MNIST (0.0 MB) to {tmp_path / source.folder}"
    assert lines[1].startswith(f"Fashion-MNIST: {IMAGES}.gz  0.0 of 0.0 MB")


def test_stored_sums_are_in_the_format_of_sha256sum(tmp_path):
    verified.store_sums(tmp_path, {"b c.png": "1" * 64})
    verified.store_sums(tmp_path, {"a": "2" * 64})
    text = (tmp_path / "SHA256SUMS").read_text()
    assert text == f"{'2' * 64}  a\n{'1' * 64}  b c.png\n"
    assert verified.stored_sums(tmp_path) == {"a": "2" * 64, "b c.png": "1" * 64}
    (tmp_path / "SHA256SUMS").write_bytes(b"\xff\0 nonsense")
    assert verified.stored_sums(tmp_path) == {}


def test_a_mat_file_that_declares_huge_arrays_is_refused_before_they_are_made(tmp_path):
    import numpy as np
    import scipy.io

    from dlcourse.data.svhn import arrays_in_mat

    for content in (
        {"X": np.zeros((32, 32, 3, 5), np.uint8), "y": np.zeros((4, 1), np.uint8)},
        {"X": np.zeros((32, 32, 3, 5)), "y": np.zeros((5, 1), np.uint8)},
        {"X": np.zeros((32, 32, 1, 5), np.uint8), "y": np.zeros((5, 1), np.uint8)},
        {"X": np.zeros((3, 3), object), "y": np.zeros((5, 1), np.uint8)},
        {"y": np.zeros((5, 1), np.uint8)},
    ):
        buffer = io.BytesIO()
        scipy.io.savemat(buffer, content, do_compression=True)
        with pytest.raises(UserError, match="has no images of SVHN"):
            arrays_in_mat(buffer.getvalue(), tmp_path / "train_32x32.mat")
