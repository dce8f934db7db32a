"""Initial filters that are identity maps."""

import torch
from torch import nn


@torch.no_grad()
def dirac(model: nn.Module) -> None:
    """Make the first filters of every convolution the identity of one input channel each.

    Filter i of the first C_in is 1 in the middle of channel i and 0 elsewhere: with "same" padding
    the first output maps are the inputs. Further filters and linear layers keep PyTorch's weights;
    biases of convolutions are zero. In grouped convolutions this is done in each group.

    Reference: Zagoruyko, Komodakis, "DiracNets: training very deep neural networks without
    skip-connections", 2017; for a part of the filters as in Jordan, "94% on CIFAR-10 in 3.29
    seconds on a single GPU", arXiv 2404.00498, 2024, section 3.3.
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            for filters in layer.weight.chunk(layer.groups):  # (C_out / groups, C_in / groups, ...)
                nn.init.dirac_(filters[: filters.shape[1]])
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
