"""Kernels made by hand: what a first convolution would have to learn.

They are for cross-correlation, which is what deep learning calls convolution.

Reference: GIMP documentation, "Convolution matrix"; Gonzalez, Woods, "Digital image processing",
4th edition, 2018, sections 3.5 and 3.6.
"""

import torch
from torch import Tensor

KERNELS: dict[str, Tensor] = {
    # the image minus its Laplacian: weights sum to 1, so plain areas stay
    "sharpen": torch.tensor([[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]),
    # the image plus its slope towards the lower right: light seems to come from the upper left
    "emboss": torch.tensor([[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]]),
    # the mean of nine pixels
    "blur": torch.full((3, 3), 1 / 9),
    # the Laplacian: weights sum to 0, so plain areas turn black
    "edge": torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]),
}
