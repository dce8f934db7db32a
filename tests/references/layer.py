"""Convolution arithmetic, fixed kernels and the hand-written layer against other sources."""

import itertools

import numpy as np
import torch
from references.row import Row
from scipy import ndimage
from torch import nn
from torch.nn import functional as F

from dlcourse.introspect.receptive_field import Window, receptive_field
from dlcourse.layer.convolution import (
    filter_images,
    output_size,
    overlap_counts,
    toeplitz,
    transposed_convolution,
    transposed_output_size,
)
from dlcourse.layer.hand_written import HandWritten, affine_sqnl
from dlcourse.layer.kernels import KERNELS

SETTINGS = list(itertools.product((1, 2, 3, 5), (1, 2, 3), (0, 1, 2), (1, 2)))


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def largest(left: torch.Tensor, right: torch.Tensor) -> float:
    return float((left - right).abs().max())


def sizes(compose) -> float:
    """Compare both output sizes with torch.nn.functional, for sides from 9 to 12."""
    gap = 0
    for side, (kernel, stride, padding, dilation) in itertools.product(range(9, 13), SETTINGS):
        ones, weights = torch.ones(1, 1, side), torch.ones(1, 1, kernel)
        theirs = F.conv1d(ones, weights, None, stride, padding, dilation)
        ours = output_size(side, kernel, stride, padding, dilation)
        gap = max(gap, abs(theirs.shape[-1] - ours))
        extra = stride - 1 if dilation <= stride else 0
        theirs = F.conv_transpose1d(ones, weights, None, stride, padding, extra, 1, dilation)
        ours = transposed_output_size(side, kernel, stride, padding, dilation, extra)
        gap = max(gap, abs(theirs.shape[-1] - ours))
    return float(gap)


def toeplitz_product(compose) -> float:
    """Compare with a worked example of 4 x 4 by 3 x 3, and with conv2d at strides and paddings."""
    maps = torch.tensor([[4.0, 5, 8, 7], [1, 8, 8, 8], [3, 6, 6, 4], [6, 5, 7, 8]])
    kernel = torch.tensor([[1.0, 4, 1], [1, 4, 3], [3, 3, 1]])
    product = toeplitz(kernel, (4, 4)) @ maps.flatten()
    gap = largest(product, torch.tensor([122.0, 148, 126, 134]))
    maps, kernel = drawn(7, 9), drawn(3, 2)
    for stride, padding in itertools.product((1, 2, 3), (0, 1)):
        ours = toeplitz(kernel, (7, 9), stride, padding) @ maps.flatten()
        theirs = F.conv2d(maps[None, None], kernel[None, None], None, stride, padding)
        gap = max(gap, largest(ours, theirs.flatten()))
    return gap


def transposed(compose) -> float:
    """Compare with conv_transpose2d, and the overlap counts with its output for ones."""
    maps, kernel, gap = drawn(4, 5), drawn(3, 2), 0.0
    for stride, padding in itertools.product((1, 2, 3), (0, 1)):
        ours = transposed_convolution(maps, kernel, stride, padding, extra=stride - 1)
        theirs = F.conv_transpose2d(
            maps[None, None], kernel[None, None], None, stride, padding, stride - 1
        )
        gap = max(gap, largest(ours, theirs[0, 0]))
    for size, stride in itertools.product((2, 3, 4), (1, 2, 3)):
        ones = torch.ones(1, 1, 4, 4)
        theirs = F.conv_transpose2d(ones, torch.ones(1, 1, size, size), None, stride)
        gap = max(gap, largest(overlap_counts(size, stride, 4), theirs[0, 0]))
    return gap


def fields(compose) -> float:
    """Compare with the inputs that have a gradient from one output, for ten random chains."""
    random, gap, side = np.random.default_rng(0), 0, 400
    for _ in range(10):
        chain = [Window(*map(int, random.integers([1, 1, 0, 1], [6, 3, 3, 4]))) for _ in range(5)]
        layers = nn.Sequential(*(nn.Conv1d(1, 1, *window) for window in chain)).double()
        for parameter in layers.parameters():
            nn.init.constant_(parameter, 0.5)
        inputs = torch.ones(1, 1, side, dtype=torch.float64, requires_grad=True)
        outputs = layers(inputs)
        unit = outputs.shape[-1] // 2
        outputs[0, 0, unit].backward()
        reached = inputs.grad.flatten().nonzero().flatten()
        field = receptive_field(chain)
        first = field.start + unit * field.jump
        gap = max(gap, abs(int(reached[0]) - first), abs(int(reached[-1]) - first - field.size + 1))
    return float(gap)


def filtered(name: str, theirs) -> float:
    image = drawn(12, 10)
    ours = filter_images(image[None, None], KERNELS[name].double())[0, 0].numpy()
    return float(np.abs(ours - theirs(image.numpy())).max())


def laplacian(image: np.ndarray) -> np.ndarray:
    return ndimage.laplace(image, mode="nearest")


def embossed(image: np.ndarray) -> np.ndarray:
    """Return the image plus its slopes down, to the right, and twice along the diagonal."""
    around = np.pad(image, 1, mode="edge")
    upper, middle, lower = slice(None, -2), slice(1, -1), slice(2, None)
    slopes = around[lower, middle] - around[upper, middle]
    slopes = slopes + around[middle, lower] - around[middle, upper]
    return image + slopes + 2 * (around[lower, lower] - around[upper, upper])


def own_layer(compose) -> float:
    """Compare outputs and gradients with nn.Linear and the formula of SQNL; run gradcheck."""
    torch.manual_seed(0)
    layer, inputs = HandWritten(6, 5).double(), drawn(7, 6) * 2
    theirs = nn.Linear(6, 5).double()
    theirs.load_state_dict(layer.state_dict())
    gradients = []
    for function in (layer, lambda x: sqnl_by_formula(theirs(x))):
        x = inputs.clone().requires_grad_()
        outputs = function(x)
        outputs.square().sum().backward()
        gradients.append([outputs.detach(), x.grad])
    gradients[0] += [layer.weight.grad, layer.bias.grad]
    gradients[1] += [theirs.weight.grad, theirs.bias.grad]
    arguments = [tensor.requires_grad_() for tensor in (drawn(3, 4), drawn(2, 4), drawn(2))]
    assert torch.autograd.gradcheck(affine_sqnl, arguments)
    assert torch.autograd.gradgradcheck(affine_sqnl, arguments)
    return max(itertools.starmap(largest, zip(*gradients, strict=True)))


def sqnl_by_formula(x: torch.Tensor) -> torch.Tensor:
    left, right = x + x**2 / 4, x - x**2 / 4
    outer = torch.where(x < 0, -torch.ones_like(x), torch.ones_like(x))
    return torch.where(x.abs() > 2, outer, torch.where(x < 0, left, right))


ROWS = {
    "output size": Row("shapes of torch conv1d and conv_transpose1d, 288 settings", sizes, 0.0),
    "Toeplitz product": Row(
        "[[122, 148], [126, 134]] of the 4 x 4 by 3 x 3 example; torch conv2d",
        toeplitz_product,
        1e-12,
    ),
    "transposed convolution": Row(
        "torch conv_transpose2d; of ones, the checkerboard's counts", transposed, 1e-12
    ),
    "receptive field": Row(
        "first and last nonzero input gradient of ten random chains of five convolutions",
        fields,
        0.0,
    ),
    "sharpen": Row(
        "the image minus scipy.ndimage.laplace",
        lambda compose: filtered("sharpen", lambda image: image - laplacian(image)),
        1e-12,
    ),
    "emboss": Row(
        "differences of shifted images in numpy",
        lambda compose: filtered("emboss", embossed),
        1e-12,
    ),
    "blur": Row(
        "scipy.ndimage.uniform_filter; 1/9 in single precision",
        lambda compose: filtered(
            "blur", lambda image: ndimage.uniform_filter(image, 3, mode="nearest")
        ),
        1e-7,
    ),
    "edge": Row("scipy.ndimage.laplace", lambda compose: filtered("edge", laplacian), 1e-12),
    "own layer": Row(
        "torch.nn.Linear and the formula under autograd: outputs and gradients; gradcheck",
        own_layer,
        1e-12,
    ),
}
