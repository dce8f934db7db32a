"""Muon."""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic polynomial


class Muon(torch.optim.Optimizer):
    """Updates matrices by their orthogonalised momentum, all other parameters by AdamW or Nesterov.

    The update of a matrix (out, in), or a filter (out, in, kh, kw) viewed as (out, in kh kw), is
    lr sqrt(max(1, rows / columns)) times its momentum with all singular values near 1. Vectors,
    scalars, matrices of one row or column, and groups with ``apart`` are updated by the optimizer
    ``rest`` with its own learning rate. Weight decay is decoupled, except with ``rest=nesterov``,
    where it is part of the gradient as in ``optim=nesterov``.

    lr: of the matrices.
    newton_schulz_steps, precision: of the orthogonalisation; ``weights`` is the precision of the
        weights, ``bf16`` is bfloat16.
    renormalize: whether to scale each matrix to the norm sqrt(rows) before its update; then no
        weight decay is needed.
    rest: ``adamw``, with betas and eps, or ``nesterov``, with rest_momentum.
    rest_lr: the learning rate of ``rest``.

    Matrices of the same shape are orthogonalised as one batch. No value is read back from the
    device, and learning rates may be tensors, so that a step can be captured in a CUDA graph.

    Reference: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024,
    https://kellerjordan.github.io/posts/muon/; renormalised as in the same author's record on
    CIFAR-10, 2024.
    Departs from it: the matrices of the first and the last layer are orthogonalised too, unless
    ``optim.apart`` names them, and the default precision is that of the weights instead of bf16.
    """

    capturable = True  # all state is on the device

    def __init__(
        self,
        groups: list[dict],
        *,
        lr: float,
        momentum: float,
        nesterov: bool,
        newton_schulz_steps: int,
        precision: str,
        renormalize: bool,
        rest: str,
        rest_lr: float,
        rest_momentum: float,
        betas: Sequence[float],
        eps: float,
    ) -> None:
        defaults = {
            "momentum": momentum,
            "nesterov": nesterov,
            "newton_schulz_steps": newton_schulz_steps,
            "rest_momentum": rest_momentum,
            "betas": tuple(betas),
            "eps": eps,
        }
        divided = []
        for group in groups:
            apart = group.get("apart", False)
            for orthogonal, rate in ((True, lr), (False, rest_lr)):
                members = [p for p in group["params"] if (is_matrix(p) and not apart) == orthogonal]
                if members:
                    divided.append(group | {"params": members, "lr": rate, "matrices": orthogonal})
        super().__init__(divided, defaults)
        self.dtype = {"weights": None, "bf16": torch.bfloat16}[precision]
        self.renormalize = renormalize
        self.move_rest = {"adamw": move_by_adamw, "nesterov": move_by_nesterov}[rest]

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            learning = [weight for weight in group["params"] if weight.grad is not None]
            if group["matrices"]:
                self.move_matrices(learning, group)
            else:
                for weight in learning:
                    self.move_rest(weight, self.state[weight], group)
        return loss

    def move_matrices(self, weights: list[Tensor], group: dict) -> None:
        """Update matrices and filters, those of the same shape as one batch."""
        alike: dict[tuple, list[Tensor]] = defaultdict(list)
        for weight in weights:
            alike[weight.flatten(1).shape, weight.dtype].append(weight)
        for ((rows, columns), dtype), some in alike.items():
            momenta = [momentum_of(w, self.state[w], group).flatten(1) for w in some]
            stack = torch.stack(momenta).to(self.dtype or dtype)  # (B, rows, columns)
            directions = orthogonalize(stack, group["newton_schulz_steps"]).to(dtype)
            size = math.sqrt(max(1, rows / columns))
            for weight, direction in zip(some, directions, strict=True):
                if self.renormalize:
                    weight.mul_(math.sqrt(rows) / weight.norm().clamp(min=1e-7))
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(direction.view_as(weight) * (-size * group["lr"]))


def is_matrix(weight: Tensor) -> bool:
    """Return whether a parameter, its later dimensions flattened, has several rows and columns."""
    return weight.dim() >= 2 and 1 < len(weight) < weight.numel()


def momentum_of(weight: Tensor, state: dict, group: dict) -> Tensor:
    """Update the running mean of gradients; return it, or with ``nesterov`` its next value."""
    gradient = weight.grad
    assert gradient is not None
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    momentum = group["momentum"]
    mean = state["momentum"].lerp_(gradient, 1 - momentum)
    return gradient.lerp(mean, momentum) if group["nesterov"] else mean


def move_by_adamw(weight: Tensor, state: dict, group: dict) -> None:
    """Update by bias-corrected mean / (sqrt(mean of squares) + eps) and decoupled weight decay."""
    gradient = weight.grad
    assert gradient is not None
    if not state:
        state["count"] = weight.new_zeros(())  # a tensor: captured steps count too
        state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
    state["count"] += 1
    beta1, beta2 = group["betas"]
    mean = state["mean"].lerp_(gradient, 1 - beta1) / (1 - beta1 ** state["count"])
    square = state["square"].lerp_(gradient.square(), 1 - beta2) / (1 - beta2 ** state["count"])
    weight.mul_(1 - group["lr"] * group["weight_decay"])
    weight.add_(mean / (square.sqrt() + group["eps"]) * -group["lr"])


def move_by_nesterov(weight: Tensor, state: dict, group: dict) -> None:
    """Update by Nesterov momentum; the weight decay is part of the gradient."""
    assert weight.grad is not None
    gradient = weight.grad + weight * group["weight_decay"]
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    momentum = group["rest_momentum"]
    total = state["momentum"].mul_(momentum).add_(gradient)
    weight.add_((gradient + momentum * total) * -group["lr"])


def orthogonalize(matrices: Tensor, steps: int) -> Tensor:
    """Return U S V' for each matrix U D V' (..., rows, columns), with S between about 0.7 and 1.2.

    The matrices are scaled so that all singular values are in [0, 1]. Each Newton-Schulz step maps
    them by s <- 3.4445 s - 4.775 s^3 + 2.0315 s^5, with matrix products only.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[-2] > matrices.shape[-1]
    wide = matrices.mT if tall else matrices
    wide = wide / wide.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = wide @ wide.mT
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return wide.mT if tall else wide
