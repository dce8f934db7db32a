"""A picture and its mirror image."""

from torch import Tensor


def mirror(pictures: Tensor) -> list[tuple[float, Tensor]]:
    """Return the pictures (N, C, H, W) and their mirror images, both of the same weight.

    Reference: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015, section 3.2.
    """
    return [(0.5, pictures), (0.5, pictures.flip(-1))]
