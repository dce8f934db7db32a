"""The functions of ``fused_layers.cpp``, on tensors in NHWC order on the CPU."""

from ctypes import c_int64, c_void_p
from math import gcd

import torch
from torch import Tensor

from dlcourse.machine.compiled_library import library

KERNEL_TYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16"}
WIDE_ROW = 64  # the values of a wide row are a multiple of it


def fits_kernels(maps: Tensor) -> bool:
    """Return whether the kernels can process maps (N, C, H, W): type, device, order and size."""
    return (
        maps.dtype in KERNEL_TYPES
        and maps.device.type == "cpu"
        and maps.dim() == 4
        and maps.is_contiguous(memory_format=torch.channels_last)
        and maps.shape[1] > 0
        and rows_of(maps) > 1
        and rows_of(maps) % (WIDE_ROW // gcd(maps.shape[1], WIDE_ROW)) == 0
    )


def batch_moments(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the biased variance of each channel, (C,) each in float32."""
    mean, variance = maps.new_empty(2, maps.shape[1], dtype=torch.float32)
    call_kernel("moments", maps, maps, *rows_and_channels(maps), mean, variance)
    return mean, variance


def scale_add_relu(maps: Tensor, scale: Tensor, shift: Tensor, added: Tensor | None) -> Tensor:
    """Return relu(scale maps + shift + added), with a scale and a shift (C,) of each channel."""
    outputs = torch.empty_like(maps)
    call_kernel("forward", maps, maps, added, scale, shift, *rows_and_channels(maps), outputs)
    return outputs


def norm_gradients(
    outer: Tensor,
    maps: Tensor,
    outputs: Tensor | None,
    numbers: tuple[Tensor, Tensor, Tensor, Tensor],
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Return the gradients of the maps, of weight and bias (C,), and of what was added.

    outer: the gradient of the outputs. outputs: None if nothing was added.
    numbers: of each channel, (C,): mean, inverse standard deviation, scale and shift.
    """
    outer = outer.contiguous(memory_format=torch.channels_last)
    for_maps = torch.empty_like(maps)
    for_added = None if outputs is None else torch.empty_like(maps)
    for_weight, for_bias = maps.new_empty(2, maps.shape[1], dtype=torch.float32)
    results = (for_maps, for_added, for_weight, for_bias)
    call_kernel(
        "backward", maps, outer, maps, outputs, *numbers, *rows_and_channels(maps), *results
    )
    return for_maps, for_weight, for_bias, for_added


def pool_maps(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the maxima of 2 x 2 windows of maps, and their positions as ``max_pool2d`` does."""
    images, channels, height, width = maps.shape
    shape = (images, channels, height // 2, width // 2)
    outputs = torch.empty(shape, dtype=maps.dtype, memory_format=torch.channels_last)
    positions = torch.empty(shape, dtype=torch.int64, memory_format=torch.channels_last)
    call_kernel("pool", maps, maps, images, height, width, channels, outputs, positions)
    return outputs, positions


def rows_of(maps: Tensor) -> int:
    """Return the number of pixels of all maps."""
    return maps.numel() // maps.shape[1]


def rows_and_channels(maps: Tensor) -> tuple[int, int]:
    """Return the numbers of pixels and of channels."""
    return rows_of(maps), maps.shape[1]


def call_kernel(name: str, typed: Tensor, *arguments: Tensor | int | None) -> None:
    """Call a kernel for the type of a tensor, with addresses and 64-bit numbers."""
    converted = [
        c_int64(one) if isinstance(one, int) else c_void_p(None if one is None else one.data_ptr())
        for one in arguments
    ]
    getattr(library("fused_layers"), f"{name}_{KERNEL_TYPES[typed.dtype]}")(*converted)
