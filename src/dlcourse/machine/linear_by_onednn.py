"""Linear layers computed by the matrix products of oneDNN instead of MKL's."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.machine.observed import observed

MIN_WEIGHTS = 30_000
"""Layers with fewer weights stay: a call takes 0.02 ms longer, more than is gained."""


class LinearByOneDnn(nn.Linear):
    """An ``nn.Linear`` whose three products are oneDNN's; equal to it up to rounding.

    PyTorch computes products in float32 by MKL. On processors of AMD that uses vectors of half the
    length: for the layers of a ViT (8,320 rows) it reached 95 GFLOP/s on a core of a Zen 5, and
    oneDNN 215 in the forward pass and for the inputs' gradient, 150 for the weights' gradient.

    Other inputs than ordinary float32 tensors on the CPU are computed as ``nn.Linear`` does, and so
    is a backward pass that is differentiated itself.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        ordinary = (
            inputs.dtype == self.weight.dtype == torch.float32
            and inputs.device.type == "cpu"
            and not torch.is_autocast_enabled("cpu")
            and not observed()
        )
        if not ordinary:
            return F.linear(inputs, self.weight, self.bias)
        outputs: Tensor = OneDnnLinear.apply(inputs, self.weight, self.bias)
        return outputs


class OneDnnLinear(torch.autograd.Function):
    """inputs (..., in), weight (out, in) and bias (out,) or None -> inputs weight' + bias."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Compute the outputs (..., out)."""
        ctx.save_for_backward(inputs, weight)
        return product(inputs, weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of inputs, weight and bias that are needed."""
        inputs, weight = ctx.saved_tensors
        (outer,) = gradients
        multiply = F.linear if torch.is_grad_enabled() else product  # a second derivative, or not
        rows = outer.reshape(-1, outer.shape[-1])
        for_inputs, for_weight, for_bias = ctx.needs_input_grad
        return (
            multiply(outer, weight.t()) if for_inputs else None,
            multiply(rows.t(), inputs.reshape(len(rows), -1).t()) if for_weight else None,
            rows.sum(0) if for_bias else None,
        )


def product(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return inputs (..., in) times the transposed weight (out, in), plus bias (out,)."""
    return torch.ops.mkldnn._linear_pointwise(inputs, weight, bias, "none", [], "")


def has_onednn() -> bool:
    """Return whether this PyTorch has oneDNN's linear layer."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def is_large(layer: nn.Module) -> bool:
    """Return whether a layer is an ``nn.Linear`` that is large enough for oneDNN."""
    return type(layer) is nn.Linear and layer.weight.numel() >= MIN_WEIGHTS


def use_onednn(model: nn.Module) -> None:
    """Make a model compute its large ``nn.Linear`` by oneDNN, in place; derived classes stay."""
    for layer in model.modules():
        if is_large(layer):
            layer.__class__ = LinearByOneDnn
