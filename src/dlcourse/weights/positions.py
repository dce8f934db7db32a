"""Position embeddings of vision transformers for another image size."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def resized_positions(theirs: Tensor, ours: Tensor) -> Tensor | None:
    """Return position embeddings (1, n, D) interpolated to the number of tokens of ``ours``.

    Both belong to square grids of patches, with the same number of tokens before them: one for a
    class token, or none. Returns None for any other shapes.

    Reference: Dosovitskiy et al., "An image is worth 16x16 words", ICLR 2021, section 3.2.
    """
    if theirs.dim() != 3 or ours.dim() != 3 or theirs.shape[2] != ours.shape[2]:
        return None
    for before in (1, 0):
        grids = [math.isqrt(one.shape[1] - before) for one in (theirs, ours)]
        counts = [grid**2 + before for grid in grids]
        if counts == [theirs.shape[1], ours.shape[1]] and min(grids) > 0:
            break
    else:
        return None
    first, rest = theirs[:, :before].float(), theirs[:, before:].float()
    maps = rest.transpose(1, 2).unflatten(2, (grids[0], grids[0]))  # (1, D, rows, columns)
    maps = F.interpolate(maps, (grids[1], grids[1]), mode="bicubic", antialias=True)
    return torch.cat([first, maps.flatten(2).transpose(1, 2)], dim=1).to(theirs.dtype)
