"""Images that stay on the disk and are read batch by batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcourse.core import Split
from dlcourse.data.image_file import Reading
from dlcourse.data.read_ahead import read_ahead

TOO_FEW_FOR_WORKERS = 500  # images; reading them takes less time than starting workers


@dataclass(frozen=True)
class ImageFiles:
    """Images (N, channels, size, size) as a list of files, and how workers read them."""

    paths: tuple[str, ...]
    reading: Reading
    workers: int

    dtype = torch.uint8

    @property
    def shape(self) -> torch.Size:
        """The shape of one tensor with all images, (N, channels, size, size)."""
        reading = self.reading
        return torch.Size((len(self.paths), reading.channels, reading.size, reading.size))

    def __getitem__(self, index: slice | Tensor) -> ImageFiles:
        paths = self.paths[index] if isinstance(index, slice) else self.paths_at(index)
        return dataclasses.replace(self, paths=tuple(paths))

    def pieces(self, length: int) -> Iterator[tuple[list[str], Reading]]:
        """Yield the arguments of ``read_images`` for all paths, ``length`` paths at a time."""
        for start in range(0, len(self.paths), length):
            yield list(self.paths[start : start + length]), self.reading

    def workers_for_all(self) -> int:
        """Return the number of workers to read every image once: 0 for a few images."""
        return self.workers if len(self.paths) > TOO_FEW_FOR_WORKERS else 0

    def paths_at(self, index: Tensor) -> list[str]:
        """Return the paths at the given positions (M,)."""
        return [self.paths[position] for position in index.tolist()]


@dataclass(frozen=True)
class StreamedSplit(Split):
    """A split whose images are read by worker processes, a few batches ahead.

    The batches are equal to those of a split in memory, pixel for pixel.
    """

    inputs: ImageFiles

    def to(self, device: torch.device) -> StreamedSplit:
        """Return the same examples; their batches are then put on the given device."""
        return dataclasses.replace(self, targets=self.targets.to(device))

    def joined_inputs(self, parts: list[ImageFiles]) -> ImageFiles:
        """Return the files of several splits, which are read as those of the first."""
        paths = tuple(path for files in parts for path in files.paths)
        return dataclasses.replace(parts[0], paths=paths)

    def prefetch(self, pieces: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the arguments of ``fetch``: each batch's indices (batch,) and its raw inputs."""
        files, pieces = self.inputs, list(pieces)
        few = len(pieces) == 1 and len(pieces[0]) <= TOO_FEW_FOR_WORKERS  # nothing to read ahead
        batches = [files.paths_at(index) for index in pieces]
        read = read_ahead(batches, files.reading, 0 if few else files.workers)
        for index, pixels in zip(pieces, read, strict=True):
            yield index, torch.from_numpy(pixels).to(self.device)

    def fetch(self, index: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the raw inputs (batch, C, H, W), as given, and their targets (batch,)."""
        return inputs, self.targets.index_select(0, index)
