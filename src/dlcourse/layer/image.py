"""Checks of the shape of an image model's inputs."""

from dlcourse.errors import UserError

SMALL = 64  # models use a stem with less downsampling for images with a side below this


def image_shape(model: str, input_shape: tuple[int, ...], smallest: int) -> tuple[int, int, int]:
    """Return (channels, height, width) of a model's inputs.

    Raises UserError for inputs that are not images, and for a side below ``smallest`` pixels.
    """
    if len(input_shape) != 3:
        raise UserError(
            f"model={model} needs images (channels, height, width), got {input_shape}.\n"
            "Type model=mlp, or choose a data set of images"
        )
    channels, height, width = input_shape
    if min(height, width) < smallest:
        raise UserError(
            f"model={model} needs images of {smallest} x {smallest} or more, "
            f"got {height} x {width}.\nType data.size={smallest}"
        )
    return channels, height, width


def is_small(height: int, width: int) -> bool:
    """Return whether a side is below 64 pixels, as in MNIST and CIFAR."""
    return min(height, width) < SMALL
