"""Batches are read ahead in order, into bounded memory; a dead or silent worker ends the run."""

import os
import time

import numpy as np
import pytest
from PIL import Image

from dlcourse.data import read_ahead as module
from dlcourse.data import workers
from dlcourse.data.being_read import being_read
from dlcourse.data.image_file import Reading
from dlcourse.data.read_ahead import batches_ahead, read_ahead
from dlcourse.data.read_many import read_images
from dlcourse.data.shared_file import mapped, shared_file
from dlcourse.data.workers import map_ahead
from dlcourse.errors import FileError, UserError

GREY = Reading(6, 1)


@pytest.fixture
def paths(tmp_path):
    for number in range(50):
        Image.new("L", (6, 6), number).save(tmp_path / f"{number}.png")
    return [str(tmp_path / f"{number}.png") for number in range(50)]


def test_batches_come_in_order_and_are_not_overwritten_by_later_ones(paths):
    batches = [paths[20:45], paths[:3], [], paths[40:], paths[3:20], paths[:40], paths[5:6]]
    read = list(read_ahead(batches, GREY, 2))
    assert [image.max() for image in read[0]] == list(range(20, 45))
    for images, some in zip(read, batches, strict=True):
        assert np.array_equal(images, read_images(some, GREY))


def test_shares_of_a_batch_may_be_empty():
    """With several devices, a rank may have no image of a small last batch."""
    for processes in (0, 1):
        assert [len(images) for images in read_ahead([[], []], GREY, processes)] == [0, 0]


def test_no_more_than_the_stated_number_of_batches_is_requested_ahead(paths, monkeypatch):
    requested = []

    def count(workers, function, *arguments):
        requested.append(arguments)
        return submit(workers, function, *arguments)

    submit = module.submit
    monkeypatch.setattr(module, "submit", count)
    coming = read_ahead([[path] for path in paths], GREY, 1)
    for taken in range(10):
        next(coming)
        assert len(requested) == taken + 1 + batches_ahead(1, 1)
    assert len({file for file, *_ in requested}) == batches_ahead(1, 1)  # so is the memory
    coming.close()


@pytest.mark.parametrize(
    ("batch", "processes", "ahead"),
    [(128, 2, 2), (32, 2, 2), (32, 16, 16), (128, 16, 4), (0, 1, 2)],
)
def test_two_batches_are_read_ahead_or_as_many_as_occupy_all_workers(batch, processes, ahead):
    assert batches_ahead(batch, processes) == ahead


def test_a_damaged_image_is_named_and_the_next_batches_can_be_read(paths):
    with open(paths[7], "wb") as file:
        file.write(b"damaged")
    with pytest.raises(UserError, match=r"7\.png cannot be read"):
        list(read_ahead([paths[:5], paths[5:10], paths[10:]], GREY, 2))
    assert len(list(read_ahead([paths[10:]], GREY, 2))) == 1


def test_a_worker_that_dies_gives_one_message_and_the_next_request_starts_new_ones():
    with pytest.raises(FileError, match=r"(?s)was ended with status 1,.*resume="):
        list(map_ahead(os._exit, [(1,)] * 4, 2))
    assert list(map_ahead(divmod, [(7, 2)], 2)) == [(3, 1)]


def test_a_worker_that_hangs_gives_one_message_and_is_stopped(monkeypatch):
    list(map_ahead(divmod, [(7, 2)], 2))  # started
    processes = workers.reading_pool(2).processes()
    monkeypatch.setattr(workers, "LONGEST_WAIT", 0.2)
    with pytest.raises(FileError, match=r"No image was read for 0\.2 seconds"):
        list(map_ahead(time.sleep, [(600,)] * 2, 2))
    for process in processes:
        process.join(20)
        assert not process.is_alive()


def test_memory_that_was_given_back_is_not_written_to():
    with shared_file(10) as file:
        mapped(file, (10,))[3] = 5
        assert mapped(file, (10,)).tolist() == [0, 0, 0, 5, 0, 0, 0, 0, 0, 0]
    with pytest.raises(FileNotFoundError):
        mapped(file, (10,))
    with shared_file(10) as other, pytest.raises(FileNotFoundError):
        mapped(file._replace(path=other.path), (10,))


def test_the_image_that_a_killed_worker_was_reading_is_named(paths, tmp_path):
    reading = tmp_path / "waits.png"
    os.mkfifo(reading)  # opening it waits for a writer
    coming = read_ahead([paths[:4], [str(reading)]], GREY, 1)
    next(coming)
    (process,) = workers.reading_pool(1).processes()
    until = time.monotonic() + 20
    while not named(process) and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    with pytest.raises(FileError, match=r"ended by SIGKILL while it read .*waits\.png"):
        next(coming)


def named(process):
    pool = workers.reading_pool(1)
    return any("waits" in name for name in being_read(pool.names, 1, [process.pid]))


def test_the_image_in_which_a_worker_hangs_is_named_and_the_worker_is_killed(
    paths, tmp_path, monkeypatch
):
    reading = tmp_path / "waits.png"
    os.mkfifo(reading)
    list(read_ahead([paths[:4]], GREY, 1))  # the worker is started
    (process,) = workers.reading_pool(1).processes()
    monkeypatch.setattr(workers, "LONGEST_WAIT", 0.5)
    with pytest.raises(FileError, match=r"No image was read for 0\.5 seconds in .*waits\.png"):
        list(read_ahead([[str(reading)], paths[:2]], GREY, 1))
    process.join(20)
    assert not process.is_alive()
    monkeypatch.undo()
    assert len(list(read_ahead([paths[:2]], GREY, 1))) == 1
