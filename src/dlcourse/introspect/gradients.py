"""The gradient of the loss on a few examples, and how much it differs between batches."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Objective = Callable[[Tensor, Tensor], Tensor]
"""(inputs (N, ...), targets (N, ...)) -> the mean loss."""


def gradients_of(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor | None]:
    """Return the gradient of each parameter; None where the loss does not depend on it.

    ``grad`` of the parameters is neither read nor written.
    """
    wanted = [number for number, one in enumerate(parameters) if one.requires_grad]
    found: list[Tensor | None] = [None] * len(parameters)
    if wanted and loss.requires_grad:
        own = [parameters[number] for number in wanted]
        for number, one in zip(
            wanted, torch.autograd.grad(loss, own, allow_unused=True), strict=True
        ):
            found[number] = one
    return found


def mean_gradient(
    objective: Objective,
    parameters: Sequence[Tensor],
    inputs: Tensor,
    targets: Tensor,
    parts: int,
) -> tuple[list[Tensor | None], list[Tensor]]:
    """Return the gradient on all examples and ||g||^2 of each of ``parts`` equal parts.

    The parts are computed one after another, so that memory is needed for one of them only.
    """
    total: list[Tensor | None] = [None] * len(parameters)
    squares = []
    for some, wanted in zip(inputs.tensor_split(parts), targets.tensor_split(parts), strict=True):
        part = gradients_of(objective(some, wanted), parameters)
        squares.append(squared_norm(part))
        for number, one in enumerate(part):
            if one is not None:
                before = total[number]
                total[number] = one / parts if before is None else before.add_(one, alpha=1 / parts)
    return total, squares


def squared_norm(gradients: Sequence[Tensor | None]) -> Tensor:
    """Return the squared norm of all gradients together, a scalar."""
    known = [one for one in gradients if one is not None]
    if not known:
        return torch.zeros(())
    norms = torch._foreach_norm(known, 2)  # pyright: ignore[reportPrivateImportUsage]
    return torch.stack(norms).square().sum()


def signal_and_noise(parts: Sequence[float], whole: float, size: int) -> tuple[float, float]:
    """Return estimates of |G|^2 and of tr(S) from gradients of two batch sizes.

    G is the gradient on all data and S the covariance of the gradient of one example. The *simple
    noise scale* tr(S) / |G|^2 is about the batch size up to which larger batches pay off. Both
    estimates are unbiased, and |G|^2 can come out negative where noise dominates.

    parts: ||g||^2 on each of k batches of ``size`` b. whole: ||g||^2 on all B = k b examples.

        |G|^2 = (B whole - b mean(parts)) / (B - b)
        tr(S) = (mean(parts) - whole) / (1 / b - 1 / B)

    Reference: McCandlish, Kaplan, Amodei, "An empirical model of large-batch training", 2018,
    appendix A.1.
    """
    large, small = size * len(parts), sum(parts) / len(parts)
    signal = (large * whole - size * small) / (large - size)
    return signal, (small - whole) / (1 / size - 1 / large)
