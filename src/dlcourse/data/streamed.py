"""Images that stay on the disk until their batch comes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcourse.core import Split
from dlcourse.data.image_file import read_images
from dlcourse.data.workers import map_ahead

FEW = 500  # images that are read before workers would have started


@dataclass(frozen=True)
class ImageFiles:
    """Images (N, channels, size, size) as the files that they are in."""

    paths: tuple[str, ...]
    size: int
    channels: int
    workers: int

    dtype = torch.uint8

    @property
    def shape(self) -> torch.Size:
        """What the shape would be of all images in one tensor."""
        return torch.Size((len(self.paths), self.channels, self.size, self.size))

    def __getitem__(self, index: slice | Tensor) -> ImageFiles:
        paths = self.paths[index] if isinstance(index, slice) else self.some(index)
        return dataclasses.replace(self, paths=tuple(paths))

    def pieces(self, length: int) -> Iterator[tuple[list[str], int, int]]:
        """Yield all paths, so many at a time, with the size and channels to read them in."""
        for start in range(0, len(self.paths), length):
            yield list(self.paths[start : start + length]), self.size, self.channels

    def workers_for_all(self) -> int:
        """Return how many workers are worth starting to read every image once."""
        return self.workers if len(self.paths) > FEW else 0

    def some(self, index: Tensor) -> list[str]:
        """Return the paths at the given positions (M,)."""
        return [self.paths[position] for position in index.tolist()]


@dataclass(frozen=True)
class StreamedSplit(Split):
    """A split whose images are read by worker processes, batch by batch, a little ahead.

    The batches are those of a split in memory, pixel for pixel.
    """

    inputs: ImageFiles

    def to(self, device: torch.device) -> StreamedSplit:
        """Return the same examples with batches that come to lie on the given device."""
        return dataclasses.replace(self, targets=self.targets.to(device))

    def ahead(self, pieces: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield each piece's positions (batch,) and its raw inputs, on the device."""
        files, pieces = self.inputs, list(pieces)
        tasks = ((files.some(index), files.size, files.channels) for index in pieces)
        for index, pixels in zip(pieces, map_ahead(read_images, tasks, files.workers), strict=True):
            yield index, torch.from_numpy(pixels).to(self.device)

    def fetch(self, index: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the raw inputs, which have been read, and their targets."""
        return inputs, self.targets.index_select(0, index)
