"""Batch norm, addition and ReLU as one layer, and a faster max pooling, on the CPU.

The kernels are those of ``fused_layers.cpp``. A layer that has hooks, or that something observes or
transforms, is computed by PyTorch as it is listed; so is everything that does not fit the kernels.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules import module as torch_module

from dlcourse.machine import fused_kernels
from dlcourse.machine.compiled_library import CannotCompileError, library
from dlcourse.machine.observed import observed

FEW_CHANNELS = 16  # channels, from which on PyTorch's max pooling is as fast


class FusedSequential(nn.Sequential):
    """An ``nn.Sequential`` that computes a batch norm and the ReLU after it as one layer."""

    def forward(self, input: Tensor) -> Tensor:
        return run_layers(list(self), input)


class PoolByKernel(nn.MaxPool2d):
    """A max pooling over 2 x 2 windows: the same bits as PyTorch's, faster for few channels.

    PyTorch's kernel for NHWC order fills the processor's vectors with channels. For LeNet's first
    pooling, with 6 channels, it took 1.4 ms and this one 0.3 ms (batch of 128, one core of a Zen 5,
    PyTorch 2.14); from 16 channels on, PyTorch's is as fast.
    """

    def forward(self, input: Tensor) -> Tensor:
        few = input.dim() == 4 and input.shape[1] < FEW_CHANNELS and min(input.shape[2:]) > 1
        if few and is_nhwc_on_cpu(input) and not observed():
            return cast(Tensor, FewChannelsPool.apply(input))
        return cast(Tensor, super().forward(input))


class FewChannelsPool(torch.autograd.Function):
    """The maxima of 2 x 2 windows of maps (N, C, H, W) in NHWC order."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        """Compute the maxima."""
        outputs, positions = fused_kernels.pool_maps(maps)
        ctx.save_for_backward(maps, positions)
        return outputs

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Tensor:
        """Return the gradient of the maps, by PyTorch's own kernel."""
        maps, positions = ctx.saved_tensors
        return torch.ops.aten.max_pool2d_with_indices_backward(
            outer[0], maps, [2, 2], [2, 2], [0, 0], [1, 1], False, positions
        )


class NormAddRelu(torch.autograd.Function):
    """relu(norm(maps) + added) with the moments of the batch; added may be None.

    mean, variance: of the maps' channels, (C,), biased; their gradients are part of the maps'.
    """

    @staticmethod
    def forward(
        ctx: Any,
        maps: Tensor,
        weight: Tensor,
        bias: Tensor,
        added: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        eps: float,
    ) -> Tensor:
        """Compute the outputs, in the shape and memory order of the maps."""
        inverse = torch.rsqrt(variance + eps)
        scale = weight * inverse
        shift = bias - mean * scale
        outputs = fused_kernels.scale_add_relu(maps, scale, shift, added)
        ctx.eps = eps
        kept = outputs if added is not None else None
        ctx.save_for_backward(maps, weight, bias, kept, mean, inverse, scale, shift)
        return outputs

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of maps, weight, bias and added."""
        maps, weight, bias, outputs, *numbers = ctx.saved_tensors
        if torch.is_grad_enabled():  # this pass is differentiated itself
            normal = F.batch_norm(maps, None, None, weight, bias, training=True, eps=ctx.eps)
            through = outer[0] * ((normal if outputs is None else outputs) > 0)
            found = torch.autograd.grad(normal, (maps, weight, bias), through, create_graph=True)
            return *found, (None if outputs is None else through), None, None, None
        found = fused_kernels.norm_gradients(outer[0], maps, outputs, tuple(numbers))
        return *found, None, None, None


def run_layers(layers: list[nn.Module], maps: Tensor) -> Tensor:
    """Apply layers in order, a batch norm and the ReLU after it as one."""
    place = 0
    while place < len(layers):
        norm, relu = layers[place], layers[place + 1] if place + 1 < len(layers) else None
        if relu is not None and can_fuse(norm, relu, maps):
            maps = norm_relu(cast(nn.BatchNorm2d, norm), maps)
            place += 2
        else:
            maps = norm(maps)
            place += 1
    return maps


def norm_add_relu(norm: nn.Module, relu: nn.Module, maps: Tensor, added: Tensor) -> Tensor:
    """Return relu(norm(maps) + added), as one layer where that is possible."""
    if can_fuse(norm, relu, maps) and fits_too(added, maps):
        return norm_relu(cast(nn.BatchNorm2d, norm), maps, added)
    return relu(norm(maps) + added)


def can_fuse(norm: nn.Module, relu: nn.Module, maps: Tensor) -> bool:
    """Return whether two layers are a batch norm and a ReLU that the kernels can compute."""
    return (
        type(norm) is nn.BatchNorm2d
        and type(relu) is nn.ReLU
        and not observed()
        and isinstance(norm.weight, Tensor)
        and norm.weight.dtype == torch.float32
        and norm.running_mean is not None
        and norm.momentum is not None
        and (norm.training or not torch.is_grad_enabled())
        and not has_hooks(norm, relu)
        and fused_kernels.fits_kernels(maps)
    )


def fits_too(added: Tensor, maps: Tensor) -> bool:
    """Return whether a tensor can be added to maps: the same shape, type and order."""
    return (
        added.shape == maps.shape
        and added.dtype == maps.dtype
        and fused_kernels.fits_kernels(added)
    )


def norm_relu(norm: nn.BatchNorm2d, maps: Tensor, added: Tensor | None = None) -> Tensor:
    """Return relu(norm(maps) + added); in training, update the running statistics of the norm."""
    running: Any = norm  # PyTorch's stubs allow None for its buffers, which ``can_fuse`` excludes
    mean, variance = running.running_mean, running.running_var
    if norm.training:
        mean, variance = fused_kernels.batch_moments(maps.detach())
        count = fused_kernels.rows_of(maps)
        with torch.no_grad():
            running.num_batches_tracked.add_(1)
            running.running_mean.lerp_(mean, norm.momentum)
            running.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
    arguments = (maps, norm.weight, norm.bias, added, mean, variance, norm.eps)
    return cast(Tensor, NormAddRelu.apply(*arguments))


def has_hooks(*modules: nn.Module) -> bool:
    """Return whether a module has hooks of its own, or all modules have."""
    everywhere = (
        torch_module._global_forward_hooks
        or torch_module._global_forward_pre_hooks
        or torch_module._global_backward_hooks
        or torch_module._global_backward_pre_hooks
    )
    return bool(everywhere) or any(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        for module in modules
    )


def is_nhwc_on_cpu(maps: Tensor) -> bool:
    """Return whether maps are on the CPU, in NHWC order and of a type of the kernels."""
    return (
        maps.device.type == "cpu"
        and maps.is_contiguous(memory_format=torch.channels_last)
        and maps.dtype in fused_kernels.KERNEL_TYPES
    )


def use_fused_layers(model: nn.Module) -> None:
    """Make a model use the fused layers, in place; derived classes stay.

    A class with an attribute ``fused_form`` is replaced by that class, such as the blocks of
    residual networks. Raises CannotCompileError.
    """
    library("fused_layers")
    for part in model.modules():
        if type(part) is nn.Sequential:
            part.__class__ = FusedSequential
        elif type(part) is nn.MaxPool2d and has_small_windows(part):
            part.__class__ = PoolByKernel
        elif (form := vars(type(part)).get("fused_form")) is not None:
            part.__class__ = form


def can_fuse_layers(model: nn.Module) -> bool:
    """Return whether a model has layers to fuse and the kernels can be compiled here."""
    kinds = (nn.BatchNorm2d, nn.MaxPool2d)
    if not any(type(part) in kinds for part in model.modules()):
        return False
    try:
        library("fused_layers")
    except CannotCompileError:
        return False
    return True


def has_small_windows(layer: nn.MaxPool2d) -> bool:
    """Return whether a pooling has windows of 2 x 2 that do not overlap."""
    both = {in_both(layer.kernel_size), in_both(layer.stride)}
    plain = layer.padding in (0, (0, 0)) and layer.dilation in (1, (1, 1))
    return both == {(2, 2)} and plain and not layer.ceil_mode and not layer.return_indices


def in_both(option: int | tuple[int, ...]) -> tuple[int, ...]:
    """Return an option's values in both directions: ``2`` means ``(2, 2)``."""
    return (option, option) if isinstance(option, int) else tuple(option)
