"""The arithmetic of convolutions: sizes, the equivalent matrix, and the transposed convolution.

Teaching only: no model uses these functions; call them in a notebook, for example
``from dlcourse.layer.convolution import toeplitz``. The tests compare them with PyTorch.

Reference: Dumoulin, Visin, "A guide to convolution arithmetic for deep learning", 2016.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.errors import UserError


def output_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1
) -> int:
    """Return the output size along one side: floor((n + 2p - d(k-1) - 1) / s) + 1.

    Raises UserError if the dilated kernel is longer than the padded side.
    """
    room = size + 2 * padding - (dilation * (kernel - 1) + 1)
    if room < 0:
        raise UserError(
            f"A kernel of {kernel} with dilation {dilation} does not fit into {size} pixels with "
            f"padding {padding}.\nTake a smaller kernel or a padding of {padding - (room // 2)}"
        )
    return room // stride + 1


def transposed_output_size(
    size: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1, extra: int = 0
) -> int:
    """Return the output size of the transpose along a side: s(n-1) + d(k-1) + 1 - 2p + extra.

    With a stride, convolutions of several input sizes have the same output size; ``extra``, from 0
    to stride - 1, selects one of them (``output_padding`` in PyTorch).
    """
    return stride * (size - 1) + dilation * (kernel - 1) + 1 - 2 * padding + extra


def toeplitz(
    kernel: Tensor, input_shape: tuple[int, int], stride: int = 1, padding: int = 0
) -> Tensor:
    """Return the matrix (H'W', HW) whose product with a flattened map is its cross-correlation.

    kernel: (h, w), of any floating-point type. input_shape: (H, W) of the map. Each row holds the
    kernel at one of its H'W' positions and zeros elsewhere; with stride 1 and without padding it is
    a Toeplitz matrix of Toeplitz blocks.

    The product with the map ``[[4, 5, 8, 7], [1, 8, 8, 8], [3, 6, 6, 4], [6, 5, 7, 8]]`` for the
    kernel ``[[1, 4, 1], [1, 4, 3], [3, 3, 1]]`` is 122, 148, 126, 134.

    Reference: Goodfellow, Bengio, Courville, "Deep learning", 2016, section 9.1.
    """
    height, width = input_shape
    rows, columns = (
        output_size(side, length, stride, padding)
        for side, length in zip(input_shape, kernel.shape, strict=True)
    )
    matrix = kernel.new_zeros(rows, columns, height + 2 * padding, width + 2 * padding)
    for row in range(rows):
        for column in range(columns):
            top, left = row * stride, column * stride
            place = matrix[row, column, top : top + len(kernel), left : left + kernel.shape[1]]
            place.copy_(kernel)
    inside = matrix[:, :, padding : padding + height, padding : padding + width]
    return inside.reshape(rows * columns, height * width)


def transposed_convolution(
    maps: Tensor, kernel: Tensor, stride: int = 1, padding: int = 0, extra: int = 0
) -> Tensor:
    """Return the product (H, W) of the transposed matrix with a map (H', W').

    Each value of the input adds the kernel, multiplied by that value, to the output. It reverses a
    convolution's change of size, not the convolution itself: it is the convolution's gradient with
    respect to its input.
    """
    height, width = (
        transposed_output_size(side, length, stride, padding, extra=extra)
        for side, length in zip(maps.shape, kernel.shape, strict=True)
    )
    matrix = toeplitz(kernel, (height, width), stride, padding)
    return (matrix.T @ maps.flatten()).view(height, width)


def overlap_counts(kernel: int, stride: int, size: int) -> Tensor:
    """Return the number of inputs (H, H) that contribute to each pixel of a transposed convolution.

    kernel, stride: of both sides. size: side of the input. If the stride divides the kernel, the
    numbers are equal everywhere but near the border; otherwise a checkerboard appears.

    Reference: Odena, Dumoulin, Olah, "Deconvolution and checkerboard artifacts", Distill 2016.
    """
    return transposed_convolution(torch.ones(size, size), torch.ones(kernel, kernel), stride).long()


def filter_images(images: Tensor, kernel: Tensor) -> Tensor:
    """Cross-correlate each channel of float images (N, C, H, W) with one kernel of odd sides.

    The shape does not change: the pixels at the border are repeated beyond it.
    """
    height, width = kernel.shape
    channels = images.shape[1]
    edge = [width // 2, width // 2, height // 2, height // 2]
    padded = F.pad(images, edge, mode="replicate")  # (N, C, H + h - 1, W + w - 1)
    filters = kernel.to(images).expand(channels, 1, height, width)
    return F.conv2d(padded, filters, groups=channels)  # (N, C, H, W)
