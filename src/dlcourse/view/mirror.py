"""An image and its mirror image."""

from torch import Tensor


def mirror(images: Tensor) -> list[tuple[float, Tensor]]:
    """Return the images (N, C, H, W) and their mirror images, both of the same weight.

    Reference: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015, section 3.2.
    """
    return [(0.5, images), (0.5, images.flip(-1))]
