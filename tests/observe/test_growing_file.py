"""A file that grows loses no line to a full disk that has room again later."""

import errno
import logging
import os
from contextlib import suppress

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from dlcourse.core import Record, State
from dlcourse.observe.event_file import Board
from dlcourse.observe.growing_file import GrowingFile
from dlcourse.observe.history import History
from dlcourse.terminal.steady_logs import steady_logs


@pytest.fixture
def disk(monkeypatch):
    """Return the disk: while ``full`` is true it takes a part of what is written, and no more."""

    class Disk:
        full = False

    write = os.write

    def write_part(file, content):
        if not Disk.full:
            return write(file, content)
        if len(content) > 3:
            return write(file, content[:3])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", write_part)
    return Disk


def test_lines_that_are_refused_follow_later_and_none_is_cut(tmp_path, disk, caplog):
    file = GrowingFile(tmp_path / "lines")
    for number in range(6):
        disk.full = 1 < number < 4
        file.append(f"line {number}\n".encode())
        if disk.full:
            assert file.path.read_text() == "line 0\nline 1\n"
    assert file.path.read_text() == "".join(f"line {number}\n" for number in range(6))
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "lines cannot be written: no space left on the disk" in warning.message
    assert "the run continues" in warning.message


def test_an_error_without_a_remedy_is_raised(tmp_path, monkeypatch):
    def fail(file, content):
        raise OSError(errno.ECHILD, "a slip")

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(OSError, match="a slip"):
        GrowingFile(tmp_path / "lines").append(b"line")


def test_the_history_is_whole_again_when_the_folder_can_be_written_again(tmp_path):
    state = State(*[None] * 4, history=[Record(1, {"a": 1.0})])  # pyright: ignore
    observer = History(tmp_path / "folder")
    observer.start(state, None, None)  # pyright: ignore
    state.history.append(Record(2, {"a": 2.0}))
    observer.epoch(state)  # the folder does not exist yet
    (tmp_path / "folder").mkdir()
    observer.close()
    lines = (tmp_path / "folder/history.jsonl").read_text().splitlines()
    assert lines == ['{"epoch": 1, "a": 1.0}', '{"epoch": 2, "a": 2.0}']


def points(folder):
    (path,) = folder.glob("events*")
    return [
        (value.tag, event.step)
        for event in EventFileLoader(str(path)).Load() for value in event.summary.value
    ]  # fmt: skip


def test_tensorboard_reads_every_point_of_a_disk_that_was_full(tmp_path, disk):
    board = Board(str(tmp_path))
    for epoch in range(5):
        disk.full = 0 < epoch < 3
        board.add_scalar("loss", 1.0, epoch)
        board.flush()
    board.close()
    assert points(tmp_path) == [("loss", epoch) for epoch in range(5)]


def test_a_resumed_board_hides_later_steps_of_earlier_files(tmp_path):
    board = Board(str(tmp_path), purge_step=7)
    board.close()
    (path,) = tmp_path.glob("events*")
    version, purge, start = EventFileLoader(str(path)).Load()
    assert version.file_version == purge.file_version == "brain.Event:2"
    assert (purge.step, start.step) == (7, 7)
    assert start.session_log.status == start.session_log.START


def test_a_log_on_a_full_disk_prints_one_warning_and_no_traceback(capsys):
    handler = logging.FileHandler("/dev/full")
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        steady_logs()
        for number in range(3):
            logging.getLogger("x").warning("line %s", number)
    finally:
        root.removeHandler(handler)
        with suppress(OSError):  # it fails as well
            handler.close()
    printed = capsys.readouterr().err
    assert printed.count("WARNING") == 1
    assert "WARNING: /dev/full cannot be written: no space left on the disk" in printed
    assert "Traceback" not in printed
