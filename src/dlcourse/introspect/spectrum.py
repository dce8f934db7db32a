"""Ranks of a matrix, from its singular values."""

import torch
from torch import Tensor

from dlcourse.core import at_least_float32

ROWS = 1024  # of a matrix of activations, evenly spaced


def as_matrix(weight: Tensor) -> Tensor:
    """Return weights as a matrix (outputs, inputs): each filter is one row."""
    return weight.detach().flatten(1)


def singular_values(matrix: Tensor) -> Tensor:
    """Return the singular values of a matrix, largest first, from the smaller Gram matrix.

    Values below about 1e-3 of the largest are inaccurate in float32.
    """
    matrix = at_least_float32(matrix)
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    gram = small @ small.T
    if gram.device.type == "mps":  # has no eigenvalues
        gram = gram.cpu()
    return torch.linalg.eigvalsh(gram).flip(0).clamp(min=0).sqrt()


def stable_rank(values: Tensor) -> Tensor:
    """Return sum s_i^2 / max s_i^2, from 1 to the rank; 0 for a matrix of zeros.

    Reference: Rudelson, Vershynin, "Sampling from large matrices", J. ACM 54, 2007.
    """
    squares = values.square()
    return squares.sum() / squares.max().clamp(min=1e-30)


def effective_rank(values: Tensor) -> Tensor:
    """Return exp(entropy of s_i / sum s): n for n equal singular values; 1 for a single one.

    Reference: Roy, Vetterli, "The effective rank", EUSIPCO 2007.
    """
    shares = values / values.sum().clamp(min=1e-30)
    return torch.special.entr(shares).sum().exp()
