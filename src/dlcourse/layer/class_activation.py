"""Class activation maps: which regions of an image are evidence for a class."""

import torch
from torch import Tensor


def class_activation_maps(maps: Tensor, weight: Tensor) -> Tensor:
    """Return one map per class (N, K, H, W): the sum of the last maps, weighted for that class.

    maps: (N, C, H, W), whose averages are the inputs of the output layer.
    weight: (K, C), of that layer. The mean of a class's map is the class's output without its bias.

    Reference: Zhou, Khosla, Lapedriza, Oliva, Torralba, "Learning deep features for discriminative
    localization", CVPR 2016, equation 2.
    """
    return torch.einsum("nchw,kc->nkhw", maps, weight)
