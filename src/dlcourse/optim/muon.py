"""Muon."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic that lifts singular values towards 1


class Muon(torch.optim.Optimizer):
    """Moves matrices along an orthogonalised momentum; everything else by AdamW.

    A matrix (out, in), or a filter (out, in, kh, kw) viewed as (out, in kh kw), moves by
    lr sqrt(max(1, rows / columns)) times its momentum with all singular values near 1. Vectors,
    numbers and matrices of one row or column have nothing to orthogonalise and follow AdamW with
    a learning rate of their own. Weight decay is decoupled in both.

    lr: of the matrices. rest_lr, betas, eps: of AdamW. newton_schulz_steps: of the
    orthogonalisation.

    Reference: Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024,
    https://kellerjordan.github.io/posts/muon/.
    Departs from it: the matrices of the first and the last layer are orthogonalised as well, and
    in the weights' own precision instead of bf16.
    """

    def __init__(
        self,
        groups: list[dict],
        *,
        lr: float,
        momentum: float,
        nesterov: bool,
        newton_schulz_steps: int,
        rest_lr: float,
        betas: Sequence[float],
        eps: float,
    ) -> None:
        defaults = {
            "momentum": momentum,
            "nesterov": nesterov,
            "newton_schulz_steps": newton_schulz_steps,
            "betas": tuple(betas),
            "eps": eps,
        }
        divided = []
        for group in groups:
            parameters = list(group["params"])
            for orthogonal, rate in ((True, lr), (False, rest_lr)):
                members = [p for p in parameters if is_matrix(p) == orthogonal]
                if members:
                    divided.append(group | {"params": members, "lr": rate, "matrices": orthogonal})
        super().__init__(divided, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            update = muon_update if group["matrices"] else adamw_update
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.add_(update(weight.grad, self.state[weight], group), alpha=-group["lr"])
        return loss


def is_matrix(weight: Tensor) -> bool:
    """Return whether a parameter, its later dimensions flattened, has several rows and columns."""
    return weight.dim() >= 2 and 1 < len(weight) < weight.numel()


def muon_update(gradient: Tensor, state: dict, group: dict) -> Tensor:
    """Return the direction of a matrix or filter; its momentum is a running mean of gradients."""
    if not state:
        state["momentum"] = torch.zeros_like(gradient)
    momentum = group["momentum"]
    mean = state["momentum"].lerp_(gradient, 1 - momentum)
    ahead = gradient.lerp(mean, momentum) if group["nesterov"] else mean
    matrix = ahead.flatten(1)  # (out, in kh kw)
    rows, columns = matrix.shape
    direction = orthogonalize(matrix, group["newton_schulz_steps"])
    return direction.view_as(gradient) * math.sqrt(max(1, rows / columns))


def adamw_update(gradient: Tensor, state: dict, group: dict) -> Tensor:
    """Return the direction of AdamW: mean / (sqrt(mean of squares) + eps), bias corrected."""
    if not state:
        state["step"] = 0
        state["mean"], state["square"] = torch.zeros_like(gradient), torch.zeros_like(gradient)
    state["step"] += 1
    beta1, beta2 = group["betas"]
    mean = state["mean"].lerp_(gradient, 1 - beta1) / (1 - beta1 ** state["step"])
    square = state["square"].lerp_(gradient.square(), 1 - beta2) / (1 - beta2 ** state["step"])
    return mean / (square.sqrt() + group["eps"])


def orthogonalize(matrix: Tensor, steps: int) -> Tensor:
    """Return U S V' for a matrix U D V' (rows, columns), with S between about 0.7 and 1.2.

    Each Newton-Schulz step maps the singular values, all in [0, 1] at first, by
    s <- 3.4445 s - 4.775 s^3 + 2.0315 s^5, which needs matrix products alone.
    """
    a, b, c = COEFFICIENTS
    wide = matrix.T if len(matrix) > matrix.shape[1] else matrix
    wide = wide / wide.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = wide @ wide.T
        wide = a * wide + (b * gram + c * gram @ gram) @ wide
    return wide.T if len(matrix) > matrix.shape[1] else wide
