"""Average pooling to a fixed size, so that a linear layer can follow maps of any size."""

import torch
from torch import Tensor, nn


class GridAverage(nn.Module):
    """Averages maps (N, C, H, W) to (N, C, side, side); maps of that size are unchanged.

    Cell i averages the rows from floor(i H / side) up to ceil((i + 1) H / side), the columns
    likewise; cells overlap where H is no multiple of the side, and repeat where H is smaller.

    It is ``nn.AdaptiveAvgPool2d(side)`` as two matrix products: the gradient of PyTorch's own has
    no reproducible kernel on CUDA, and ends a run with ``runtime.deterministic=true``.
    """

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side
        self.known: dict[tuple, Tensor] = {}  # a cache of ``shares``

    def forward(self, maps: Tensor) -> Tensor:
        height, width = maps.shape[-2:]
        if height == width == self.side:
            return maps
        rows, columns = self.shares_like(maps, height), self.shares_like(maps, width)
        return rows @ maps @ columns.T  # (side, H) (N, C, H, W) (W, side) = (N, C, side, side)

    def shares_like(self, maps: Tensor, length: int) -> Tensor:
        """Return the cached ``shares`` in the type and on the device of the maps."""
        key = (length, maps.dtype, maps.device)
        if key not in self.known:
            self.known[key] = self.shares(length).to(maps)
        return self.known[key]

    def shares(self, length: int) -> Tensor:
        """Return the weight of each position in each cell (side, length); rows add up to 1."""
        cell = torch.arange(self.side)[:, None]
        position = torch.arange(length)
        first, end = cell * length // self.side, -(-(cell + 1) * length // self.side)
        inside = (position >= first) & (position < end)
        return inside / (end - first)

    def extra_repr(self) -> str:
        """Return the size of the grid, for printing the model."""
        return f"{self.side} x {self.side}"
