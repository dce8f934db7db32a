"""Batch normalisation over the examples of all ranks."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.core import at_least_float32
from dlcourse.distributed.collectives import all_reduce
from dlcourse.distributed.piece import Piece, current_piece


class Normalize(torch.autograd.Function):
    """Normalises each channel by the mean and variance over the rows of all ranks.

    Over the n numbers of a channel in all ranks, y = weight (x - mean) / s + bias with
    s = sqrt(variance + eps). For a gradient g = dL/dy of the sum of all ranks' objectives:

        dL/dx = weight / s (g - mean(g) - xhat mean(g xhat)),    xhat = (x - mean) / s

    in which the means are over all ranks. The gradients of weight and bias are this rank's part;
    they are added up with those of all other parameters.

    Reference: Ioffe, Szegedy, "Batch normalization", ICML 2015, section 3; Chan, Golub, LeVeque,
    "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
    """

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float,
        piece: Piece,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        count, mean, variance = statistics(inputs, piece)
        outputs = F.batch_norm(inputs, mean, variance, weight, bias, training=False, eps=eps)
        inverse = (variance + eps).rsqrt()
        ctx.save_for_backward(inputs, weight, mean, inverse, count)
        ctx.counted = piece.count > 0
        ctx.mark_non_differentiable(count, mean, variance)
        return outputs, count, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, mean, inverse, count = ctx.saved_tensors
        axes, shape = over_channels(inputs)
        normalized = (at_least_float32(inputs) - mean.view(shape)) * inverse.view(shape)
        wide = at_least_float32(gradient)
        sums = torch.stack([wide.sum(axes), (wide * normalized).sum(axes)])  # (2, C)
        own = sums.clone()
        all_reduce(sums)
        means = sums / count
        scale = inverse if weight is None else inverse * weight
        back = wide - means[0].view(shape) - normalized * means[1].view(shape)
        back = (back * scale.view(shape)).to(inputs.dtype) * ctx.counted
        needs = ctx.needs_input_grad
        return back, own[1] if needs[1] else None, own[0] if needs[2] else None, None, None


def statistics(inputs: Tensor, piece: Piece) -> tuple[Tensor, Tensor, Tensor]:
    """Return the number of values per channel, their mean (C,) and variance (C,) over all ranks.

    The mean is computed first, then the mean square of the distances from it: the variance of one
    pass would lose its digits where the mean is large.
    """
    axes, shape = over_channels(inputs)
    wide = at_least_float32(inputs)
    weight = float(piece.count > 0)
    total = wide.sum(axes) * weight
    count = total.new_full((1,), weight * inputs.numel() / inputs.shape[1])
    first = torch.cat([total, count])
    all_reduce(first)
    total, count = first[:-1], first[-1:]
    mean = total / count
    squares = (wide - mean.view(shape)).square_().sum(axes) * weight
    all_reduce(squares)
    return count, mean, squares / count


def over_channels(inputs: Tensor) -> tuple[list[int], list[int]]:
    """Return the axes of inputs (N, C, ...) but the channels, and the shape of a value for each."""
    axes = [axis for axis in range(inputs.dim()) if axis != 1]
    return axes, [-1 if axis == 1 else 1 for axis in range(inputs.dim())]


class Synchronised(nn.modules.batchnorm._BatchNorm):
    """A batch norm whose statistics in training are those of the whole batch, of all ranks."""

    def forward(self, input: Tensor) -> Tensor:
        piece = current_piece()
        if piece is None or not (self.training or self.running_mean is None):
            return super().forward(input)
        self._check_input_dim(input)
        outputs, count, mean, variance = Normalize.apply(  # pyright: ignore[reportGeneralTypeIssues]
            input, self.weight, self.bias, self.eps, piece
        )
        if self.training and self.track_running_stats:
            self.remember(count, mean, variance)
        return outputs

    @torch.no_grad()
    def remember(self, count: Tensor, mean: Tensor, variance: Tensor) -> None:
        """Update the running statistics, with the unbiased variance as PyTorch does."""
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        self.num_batches_tracked.add_(1)
        rate: Any = self.momentum
        if rate is None:  # a mean over all batches
            rate = 1.0 / self.num_batches_tracked.to(mean.dtype)
        self.running_mean.mul_(1 - rate).add_(rate * mean)
        self.running_var.mul_(1 - rate).add_(rate * variance * (count / (count - 1)))


class Synchronised1d(Synchronised, nn.BatchNorm1d):
    """``nn.BatchNorm1d`` over all ranks."""


class Synchronised2d(Synchronised, nn.BatchNorm2d):
    """``nn.BatchNorm2d`` over all ranks."""


class Synchronised3d(Synchronised, nn.BatchNorm3d):
    """``nn.BatchNorm3d`` over all ranks."""


SYNCHRONISED: dict[type[nn.Module], type[nn.Module]] = {
    nn.BatchNorm1d: Synchronised1d,
    nn.BatchNorm2d: Synchronised2d,
    nn.BatchNorm3d: Synchronised3d,
}
