"""The loss along directions in the space of a model's weights.

All weights of a model are one vector (P,), in the order of ``model.parameters()``.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

CURVATURE_STEP = 0.05  # of the second difference, in lengths of the direction


def weight_vector(model: nn.Module) -> Tensor:
    """Return a copy of all weights as one vector (P,)."""
    return torch.cat([weight.detach().reshape(-1) for weight in model.parameters()])


@torch.no_grad()
def set_weights(model: nn.Module, vector: Tensor) -> None:
    """Copy a vector (P,) into the weights of a model."""
    sizes = [weight.numel() for weight in model.parameters()]
    for weight, part in zip(model.parameters(), vector.split(sizes), strict=True):
        weight.copy_(part.view(weight.shape))


def random_direction(model: nn.Module, generator: torch.Generator) -> Tensor:
    """Draw a Gaussian direction (P,) and give each filter the norm of the model's filter.

    A filter is the weights of one output of a layer. Biases and the factors of normalisation
    layers, which have one dimension, stay as they are: their direction is 0. So the result does not
    depend on how weights are scaled between layers.

    generator: on the CPU; torch's global one is not used.

    Reference: Li, Xu, Taylor, Studer, Goldstein, "Visualizing the loss landscape of neural nets",
    NeurIPS 2018, section 4.
    """
    parts = []
    for weight in model.parameters():
        part = torch.randn(weight.shape, generator=generator).to(weight)
        parts.append(filter_normalised(part, weight.detach()).reshape(-1))
    return torch.cat(parts)


def filter_normalised(direction: Tensor, weight: Tensor) -> Tensor:
    """Scale each filter d_i of a direction to d_i |w_i| / |d_i|; 0 for fewer than two dimensions.

    direction and weight: (K, ...), a filter for each of K outputs.
    """
    if weight.dim() < 2:
        return torch.zeros_like(weight)
    axes = tuple(range(1, weight.dim()))
    lengths, wanted = (
        torch.linalg.vector_norm(one, dim=axes, keepdim=True) for one in (direction, weight)
    )  # (K, 1, ...)
    return direction * wanted / lengths.clamp(min=1e-10)


def losses_at(
    model: nn.Module,
    vectors: Sequence[Callable[[], Tensor]],
    loss: Callable[[], float],
    advance: Callable[[int], None] = lambda points: None,
) -> list[float]:
    """Return the loss with each of some weights; the model keeps its own weights, to the last bit.

    vectors: functions that return weights (P,). loss: evaluates the model as it is.
    advance: is called with 1 after each of them.
    """
    own, found = weight_vector(model), []
    try:
        for vector in vectors:
            set_weights(model, vector())
            found.append(loss())
            advance(1)
    finally:
        set_weights(model, own)
    return found


def losses_on_grid(
    model: nn.Module,
    origin: Tensor,
    directions: tuple[Tensor, Tensor],
    along: tuple[NDArray[np.floating], NDArray[np.floating]],
    loss: Callable[[], float],
    advance: Callable[[int], None] = lambda points: None,
) -> NDArray[np.floating]:
    """Return the loss at origin + a d_1 + b d_2 for each b (row) and a (column) of ``along``."""
    first, second = directions

    def at(a: float, b: float) -> Callable[[], Tensor]:
        return lambda: origin + a * first + b * second

    vectors = [at(a, b) for b in along[1] for a in along[0]]
    found = losses_at(model, vectors, loss, advance)
    return np.array(found).reshape(len(along[1]), len(along[0]))


def curvature(
    model: nn.Module,
    origin: Tensor,
    direction: Tensor,
    loss: Callable[[], float],
    step: float = CURVATURE_STEP,
) -> float:
    """Return the second derivative of the loss along a direction, at the origin.

    It is (L(step) - 2 L(0) + L(-step)) / step^2, with steps in lengths of the direction.
    """
    shifts = (step, 0.0, -step)
    vectors = [lambda shift=shift: origin + shift * direction for shift in shifts]
    above, middle, below = losses_at(model, vectors, loss)
    return (above - 2 * middle + below) / step**2


class Plane(NamedTuple):
    """The plane in which a path of weights moves most.

    directions: (2, P), orthogonal, of length 1. points: (T, 2), the path in the plane.
    shares: (2,), of the path's squared distances from the origin, along each direction.
    """

    directions: Tensor
    points: NDArray[np.floating]
    shares: NDArray[np.floating]


def plane_of_path(path: Tensor, origin: Tensor) -> Plane:
    """Return the plane through the origin that is closest to a path of weights (T, P).

    Its directions are the principal components of the T differences from the origin (P,). They
    point so that the path starts at positive coordinates. Raises ValueError for a path along a
    line, which is in no single plane.

    Reference: Li et al., "Visualizing the loss landscape of neural nets", 2018, section 7.
    """
    away = (path - origin).cpu().double()  # (T, P)
    products = away @ away.T  # (T, T): P is large, T is small
    values, vectors = torch.linalg.eigh(products)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    if len(values) < 2 or values[1] <= 1e-9 * values[0]:
        raise ValueError("the weights of this path are on one line")
    directions = (vectors[:, :2] / values[:2].sqrt()).T @ away  # (2, P)
    points = away @ directions.T  # (T, 2)
    signs = torch.where(points[0] < 0, -1.0, 1.0)
    return Plane(
        (directions * signs[:, None]).to(path),
        (points * signs).cpu().numpy(),
        (values[:2] / values.sum()).cpu().numpy(),
    )
