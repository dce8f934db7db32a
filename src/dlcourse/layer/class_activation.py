"""Where in an image the evidence for a class lies."""

import torch
from torch import Tensor


def class_activation_maps(maps: Tensor, weight: Tensor) -> Tensor:
    """Return a map for each class (N, K, H, W): the last maps, weighted as the class weighs them.

    maps: (N, C, H, W), whose averages the output layer sees. weight: that layer's, (K, C). The mean
    of a class's map is the class's output without the bias.

    Reference: Zhou, Khosla, Lapedriza, Oliva, Torralba, "Learning deep features for discriminative
    localization", CVPR 2016, equation 2.
    """
    return torch.einsum("nchw,kc->nkhw", maps, weight)
