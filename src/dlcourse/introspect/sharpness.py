"""The largest eigenvalue of the loss's Hessian."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from dlcourse.introspect.gradients import Objective


def largest_eigenvalue(
    objective: Objective,
    parameters: Sequence[Tensor],
    inputs: Tensor,
    targets: Tensor,
    seed: int,
    iterations: int = 20,
) -> Tensor:
    """Return the Hessian's eigenvalue of the largest size, a scalar, by power iteration.

    From a random direction v, each iteration computes H v as the gradient of (gradient . v) and
    normalises it. The result is v' H v of the last direction, which is at most the eigenvalue in
    size. Gradient descent on a quadratic function diverges where it exceeds 2 / learning rate.

    seed: of the first direction; no other random generator is used.

    Reference: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 6, 1994;
    Cohen et al., "Gradient descent on neural networks typically occurs at the edge of stability",
    ICLR 2021.
    """
    weights = [parameter for parameter in parameters if parameter.requires_grad]
    draw = torch.Generator().manual_seed(seed)
    direction = [
        torch.randn(weight.shape, generator=draw).to(weight.device, weight.dtype)
        for weight in weights
    ]
    with sdpa_kernel(SDPBackend.MATH):  # the fused attention has no second derivative
        loss = objective(inputs, targets)
        gradient = torch.autograd.grad(loss, weights, create_graph=True, materialize_grads=True)
    if not any(one.requires_grad for one in gradient):
        return loss.new_zeros(())  # the gradient does not depend on the weights
    value = loss.new_zeros(())
    for _ in range(iterations):
        length = total_norm(direction).clamp(min=1e-30)
        direction = [one / length for one in direction]
        product = torch.autograd.grad(
            gradient, weights, direction, retain_graph=True, materialize_grads=True
        )
        value = torch.stack(
            [(one * other).sum() for one, other in zip(direction, product, strict=True)]
        ).sum()
        direction = [one.detach() for one in product]
    return value.detach()


def total_norm(tensors: Sequence[Tensor]) -> Tensor:
    """Return the norm of several tensors together, a scalar."""
    return torch.stack([tensor.norm() for tensor in tensors]).norm()
