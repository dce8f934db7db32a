"""Hand-made kernels, such as a first convolution could learn.

Teaching only: ``filter_images`` in ``layer/convolution.py`` applies them. They are kernels of the
cross-correlation, which deep learning calls convolution.

Reference: GIMP documentation, "Convolution matrix"; Gonzalez, Woods, "Digital image processing",
4th edition, 2018, sections 3.5 and 3.6.
"""

import torch
from torch import Tensor

KERNELS: dict[str, Tensor] = {
    # the image minus its Laplacian: weights sum to 1, so uniform areas do not change
    "sharpen": torch.tensor([[0.0, -1.0, 0.0], [-1.0, 5.0, -1.0], [0.0, -1.0, 0.0]]),
    # the image plus its slope towards the lower right, as if lit from the upper left
    "emboss": torch.tensor([[-2.0, -1.0, 0.0], [-1.0, 1.0, 1.0], [0.0, 1.0, 2.0]]),
    # the mean of nine pixels
    "blur": torch.full((3, 3), 1 / 9),
    # the Laplacian: weights sum to 0, so uniform areas become black
    "edge": torch.tensor([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]),
}
