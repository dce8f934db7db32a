"""Normalisation by name, as in ``model.norm=batch``."""

import math

from torch import nn

from dlcourse.errors import UserError, nearest

NORMS = ("none", "batch", "layer", "instance", "group")


def norm_layer(name: str, channels: int, *, images: bool) -> nn.Module:
    """Make a normalisation with a learned scale and shift for every channel.

    Maps (N, channels, H, W) to the same shape with ``images``, else (N, channels). The statistics
    of ``batch`` are taken over the batch, of ``layer`` over an example, of ``instance`` over a
    channel of an example, of ``group`` over each of gcd(channels, 8) groups of channels.

    Raises UserError for an unknown name, and for ``instance`` without ``images``.

    Reference: Ioffe, Szegedy, "Batch normalization", ICML 2015; Ba, Kiros, Hinton, "Layer
    normalization", 2016; Ulyanov, Vedaldi, Lempitsky, "Instance normalization", 2016; Wu, He,
    "Group normalization", ECCV 2018.
    """
    if name == "none":
        return nn.Identity()
    if name == "batch":
        return nn.BatchNorm2d(channels) if images else nn.BatchNorm1d(channels)
    if name == "layer":
        return nn.GroupNorm(1, channels)
    if name == "group":
        return nn.GroupNorm(math.gcd(channels, 8), channels)
    if name == "instance" and images:
        return nn.InstanceNorm2d(channels, affine=True)
    if name == "instance":
        raise UserError(
            "norm=instance averages over an image's pixels, and this layer has none.\n"
            "Type model.norm=layer, or choose a convolutional model"
        )
    raise UserError(f"norm={name} is not known; {nearest(name, NORMS)}")


def batch_norm(channels: int, *, momentum: float, eps: float, weight: bool) -> nn.BatchNorm2d:
    """Make a batch normalisation of maps (N, channels, H, W) with all its options.

    momentum: weight of a new batch in the running statistics. eps: added to the variance.
    weight: whether the factor is learned; otherwise it stays 1, and only the shift is learned.

    Reference: Ioffe, Szegedy, "Batch normalization", ICML 2015.
    """
    layer = nn.BatchNorm2d(channels, eps=eps, momentum=momentum)
    layer.weight.requires_grad_(weight)
    return layer
