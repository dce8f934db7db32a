"""Normal initial weights with one standard deviation for all layers."""

from torch import nn

from dlcourse.init.layers import fill_weights


def normal(model: nn.Module, *, std: float) -> None:
    """Draw weights from N(0, std^2), with the same standard deviation in every layer."""
    fill_weights(model, lambda weight: nn.init.normal_(weight, std=std))
