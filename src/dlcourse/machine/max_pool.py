"""Max pooling over windows that do not overlap, on CUDA in NHWC memory order."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from dlcourse.machine.observed import observed


def use_slices(model: nn.Module) -> None:
    """Make every max pooling over 2 x 2 windows of a model use slices where that is faster.

    PyTorch's own kernels for NHWC order took 26 % of a training step of model=airbench on an H200
    (PyTorch 2.11).
    """
    for layer in model.modules():
        if type(layer) is nn.MaxPool2d and has_small_windows(layer):
            layer.__class__ = MaxPoolBySlices


def has_small_windows(layer: nn.MaxPool2d) -> bool:
    """Return whether a pooling has windows of 2 x 2 that do not overlap."""
    both = {in_both(layer.kernel_size), in_both(layer.stride)}
    plain = layer.padding in (0, (0, 0)) and layer.dilation in (1, (1, 1))
    return both == {(2, 2)} and plain and not layer.ceil_mode and not layer.return_indices


def in_both(option: int | tuple[int, ...]) -> tuple[int, ...]:
    """Return an option's values in both directions: ``2`` means ``(2, 2)``."""
    return (option, option) if isinstance(option, int) else tuple(option)


class MaxPoolBySlices(nn.MaxPool2d):
    """Pools maps (N, C, H, W) in NHWC order by slices, and all others as PyTorch does."""

    def forward(self, input: Tensor) -> Tensor:
        # a compiler makes one kernel of a pooling and the operations around it
        if torch.compiler.is_compiling() or observed() or not is_nhwc(input):
            return F.max_pool2d(input, 2)
        return MaxOfSlices.apply(input)


def is_nhwc(maps: Tensor) -> bool:
    """Return whether maps are (N, C, H, W) in NHWC order, and in no other at the same time."""
    return (
        maps.dim() == 4
        and maps.is_contiguous(memory_format=torch.channels_last)
        and not maps.is_contiguous()
    )


class MaxOfSlices(torch.autograd.Function):
    """The maxima of 2 x 2 windows of maps (N, C, H, W), as ``max_pool2d`` computes them.

    The same pixel of all windows is a slice of the maps. The gradient of a window goes to its first
    maximum, row by row, also as in ``max_pool2d`` (where there is no NaN).
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        first, *others = slices(maps)
        largest = first.clone(memory_format=torch.channels_last)
        place = torch.zeros_like(largest, dtype=torch.uint8)  # of the maximum in its window
        for number, values in enumerate(others, 1):
            place.masked_fill_(values > largest, number)
            largest = torch.maximum(largest, values)
        ctx.save_for_backward(place)
        ctx.shape = maps.shape
        return largest

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (place,) = ctx.saved_tensors
        result = torch.empty(
            ctx.shape,
            dtype=gradient.dtype,
            device=gradient.device,
            memory_format=torch.channels_last,
        )
        height, width = (side - side % 2 for side in ctx.shape[-2:])
        result[..., height:, :] = 0  # the pixels of no window, with an odd height or width
        result[..., width:] = 0
        for number, part in enumerate(slices(result)):
            torch.mul(gradient, place == number, out=part)
        return result


def slices(maps: Tensor) -> Sequence[Tensor]:
    """Return the four pixels of all windows: views (N, C, H // 2, W // 2), row by row."""
    height, width = (side - side % 2 for side in maps.shape[-2:])
    return [maps[..., row:height:2, column:width:2] for row in (0, 1) for column in (0, 1)]
