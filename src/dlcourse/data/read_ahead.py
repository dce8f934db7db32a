"""Batches of images that worker processes read ahead of the training step. Imports no torch."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from math import ceil
from typing import NamedTuple

import numpy as np

from dlcourse.data.image_file import Reading
from dlcourse.data.read_many import read_images, read_into
from dlcourse.data.shared_file import SharedFile, mapped, shared_file
from dlcourse.data.workers import AHEAD, result_of, submit

PIECE = 16  # images of a batch that a worker reads at a time
BATCHES_AHEAD = 2  # the smallest number of batches that are read ahead


class RequestedBatch(NamedTuple):
    """A batch that workers read. shape: (N, channels, size, size) of its images in the file."""

    file: SharedFile
    shape: tuple[int, ...]
    pieces: list[Future]


def read_ahead(
    batches: Sequence[Sequence[str]], reading: Reading, workers: int
) -> Iterator[np.ndarray]:
    """Yield each batch of paths as uint8 images (N, channels, size, size), in order.

    Meanwhile the workers read the next ``batches_ahead`` batches, in pieces, into memory that they
    share with this process. Nothing else is read ahead, so that the memory is bounded.

    workers: the number of processes; 0 reads each batch in this process when it is needed.

    Raises UserError for an image that cannot be read, and as ``workers.result_of`` does.
    """
    if workers == 0:
        yield from (read_images(paths, reading) for paths in batches)
        return
    largest = max(map(len, batches), default=0)
    ahead = min(batches_ahead(largest, workers), len(batches))
    requested: deque[RequestedBatch] = deque()
    with ExitStack() as stack:
        size = largest * reading.channels * reading.size**2
        files = [stack.enter_context(shared_file(size)) for _ in range(ahead)]
        try:
            for file, paths in zip(files, batches, strict=False):
                requested.append(request(file, paths, reading, workers))
            for number in range(len(batches)):
                file, shape, pieces = requested.popleft()
                for piece in pieces:
                    result_of(piece, workers)
                # a copy, because the file is used again; an empty file cannot be mapped
                images = np.array(mapped(file, shape)) if pieces else np.empty(shape, np.uint8)
                if number + ahead < len(batches):
                    requested.append(request(file, batches[number + ahead], reading, workers))
                yield images
        finally:
            for piece in (piece for batch in requested for piece in batch.pieces):
                piece.cancel()


def request(
    file: SharedFile, paths: Sequence[str], reading: Reading, workers: int
) -> RequestedBatch:
    """Let the workers read a batch into a shared file."""
    shape = (len(paths), reading.channels, reading.size, reading.size)
    pieces = [
        submit(workers, read_into, file, shape, start, paths[start : start + PIECE], reading)
        for start in range(0, len(paths), PIECE)
    ]
    return RequestedBatch(file, shape, pieces)


def batches_ahead(batch: int, workers: int) -> int:
    """Return the number of batches to read ahead: BATCHES_AHEAD, or more to occupy all workers."""
    pieces = max(ceil(batch / PIECE), 1)
    return max(BATCHES_AHEAD, ceil(AHEAD * workers / pieces))
