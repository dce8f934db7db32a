"""An image and its horizontal flip."""

from torch import Tensor


def mirror(images: Tensor) -> list[tuple[float, Tensor]]:
    """Return the images (N, C, H, W) and their horizontal flips, both with weight 1 / 2.

    Reference: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015, section 3.2.
    """
    return [(0.5, images), (0.5, images.flip(-1))]
