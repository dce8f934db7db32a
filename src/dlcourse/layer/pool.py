"""Pooling by name, as in ``model.pool=average``."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.error import UserError, nearest

POOLS = ("max", "average", "sum", "stochastic")


class SumPool(nn.Module):
    """Adds up each window of maps (N, C, H, W): Lp pooling with p = 1 on values of one sign.

    Reference: Boureau, Ponce, LeCun, "A theoretical analysis of feature pooling in visual
    recognition", ICML 2010.
    """

    def __init__(self, size: int, stride: int, padding: int, ceil_mode: bool) -> None:
        super().__init__()
        self.size = size
        self.average = nn.AvgPool2d(size, stride, padding, ceil_mode, divisor_override=1)

    def forward(self, maps: Tensor) -> Tensor:
        return self.average(maps)  # (N, C, H', W'); a divisor of 1 leaves the sum


class StochasticPool(nn.Module):
    """Picks one value of each window of maps (N, C, H, W), with chances in proportion to it.

    Negative values count as 0; a window without a positive one gives 0. In use, the mean under
    the same chances takes the place of the draw. Padding never gets picked.

    Reference: Zeiler, Fergus, "Stochastic pooling for regularization of deep convolutional neural
    networks", ICLR 2013.
    """

    def __init__(self, size: int, stride: int, padding: int, ceil_mode: bool) -> None:
        super().__init__()
        self.size, self.stride, self.padding, self.ceil_mode = size, stride, padding, ceil_mode

    def forward(self, maps: Tensor) -> Tensor:
        windows = self.windows(maps.clamp(min=0))  # (N, C, H', W', size^2)
        total = windows.sum(-1, keepdim=True)
        if not self.training:
            return windows.square().sum(-1) / total.squeeze(-1).where(total.squeeze(-1) > 0, 1)
        with torch.no_grad():  # the first value at which the running sum passes a random share
            drawn = torch.rand_like(total) * total
            picked = (windows.cumsum(-1) <= drawn).sum(-1, keepdim=True)
            picked.clamp_(max=windows.shape[-1] - 1)
        return windows.gather(-1, picked).squeeze(-1)  # (N, C, H', W')

    def windows(self, maps: Tensor) -> Tensor:
        """Cut maps (N, C, H, W) into windows (N, C, H', W', size^2), zeros beyond the border."""
        ends = []
        for side in maps.shape[-2:]:
            beyond = (side + 2 * self.padding - self.size) % self.stride
            ends.append(self.padding + (self.stride - beyond if self.ceil_mode and beyond else 0))
        rows, columns = ends
        maps = F.pad(maps, [self.padding, columns, self.padding, rows])
        cut = maps.unfold(2, self.size, self.stride).unfold(3, self.size, self.stride)
        return cut.flatten(-2)


def pool_layer(
    name: str, size: int, stride: int | None = None, padding: int = 0, *, ceil_mode: bool = False
) -> nn.Module:
    """Make a pooling over windows of ``size`` x ``size``; the stride is the size if not given.

    Raises UserError for an unknown name.
    """
    stride = size if stride is None else stride
    if name == "max":
        return nn.MaxPool2d(size, stride, padding, ceil_mode=ceil_mode)
    if name == "average":
        return nn.AvgPool2d(size, stride, padding, ceil_mode, count_include_pad=False)
    if name == "sum":
        return SumPool(size, stride, padding, ceil_mode)
    if name == "stochastic":
        return StochasticPool(size, stride, padding, ceil_mode)
    raise UserError(f"pool={name} is not known; {nearest(name, POOLS)}")
