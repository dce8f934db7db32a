"""What the system refuses is explained with the file, the reason and the sizes."""

import errno
import os
import resource
from pathlib import Path

import pytest

from dlcourse import atomic_files
from dlcourse.terminal.refused import in_units, refused_by_the_system, what_is_refused


def in_child(action):
    """Run an action in a forked process; return the explanation of its OSError."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            action()
        except OSError as error:
            os.write(writing, what_is_refused(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, encoding="utf-8") as file:
        return file.read()


def test_a_file_above_the_limit_of_its_size_is_explained_with_the_limit(tmp_path):
    def write():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            (tmp_path / "large").write_bytes(bytes(200_000))
        except OSError as error:
            error.filename = str(tmp_path / "large")
            raise

    told = in_child(write)
    assert told == f"{tmp_path}/large cannot be written: a file may not be larger (0.1 MB allowed)"


def test_too_many_open_files_are_explained_with_the_limit():
    def open_many():
        resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
        _ = [open(os.devnull) for _ in range(30)]  # noqa: SIM115

    told = in_child(open_many)
    assert told == "/dev/null cannot be used: too many files are open (20 allowed)"


def test_needed_and_free_bytes_are_told_for_a_full_disk(tmp_path):
    error = OSError(errno.ENOSPC, "", str(tmp_path / "no/such/folder/last.pt"))
    error.needed = 1_200_000  # pyright: ignore[reportAttributeAccessIssue]
    told = what_is_refused(error)
    assert "last.pt cannot be written: no space left on the disk (1.2 MB needed, " in told
    assert told.endswith("B free)")


def test_the_temporary_file_of_an_atomic_write_is_called_by_its_real_name(tmp_path):
    def full(file):
        raise OSError(errno.ENOSPC, "")

    with pytest.raises(OSError) as error:  # noqa: PT011  (its text is checked below)
        atomic_files.write(tmp_path / "last.pt", full)
    assert what_is_refused(error.value).startswith(
        f"{tmp_path}/last.pt cannot be written: no space"
    )


def test_a_name_that_is_too_long_is_cut_and_counted(tmp_path):
    with pytest.raises(OSError, match="too long") as caught:
        Path("x" * 300).mkdir()
    told = what_is_refused(caught.value)
    assert (
        told
        == f"{'x' * 100}... cannot be used: its name is too long (300 bytes, at most 255 are usual)"
    )


def test_a_deleted_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        (tmp_path / "gone/history.jsonl").write_text("")
    assert told_of(caught.value).endswith(f"its folder {tmp_path}/gone does not exist")


def told_of(error):
    found = refused_by_the_system(error)
    assert found is not None
    return what_is_refused(found)


@pytest.mark.parametrize(
    ("size", "text"),
    [(999, "1.0 kB"), (119_000, "0.1 MB"), (1_250_000, "1.2 MB"), (10**11, "100.0 GB")],
)
def test_bytes_are_told_in_units(size, text):
    assert in_units(size) == text
