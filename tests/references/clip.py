"""How far every clipping is from its formula in numpy."""

import numpy as np
import torch
from references.row import Row
from torch import nn

from dlcourse.engine.instantiate import build


def network():
    """Return a small network with convolutions, a norm and two linear layers, with gradients."""
    torch.manual_seed(0)
    convolution = [nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.Flatten()]
    model = nn.Sequential(*convolution, nn.Linear(12, 4), nn.Linear(4, 2)).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
        parameter.grad = torch.randn_like(parameter)
    return model


def gradients(model):
    """Return copies of all gradients."""
    return [parameter.grad.numpy().copy() for parameter in model.parameters()]


def clipped(compose, name, *more, scale=1.0):
    """Return a network's gradients before and after clipping."""
    model = network()
    for parameter in model.parameters():
        parameter.grad.mul_(scale)
    before = gradients(model)
    build(compose(f"clip={name}", *more)["clip"])(model)
    return before, gradients(model)


def largest(ours, theirs):
    """Return the largest difference between two lists of arrays."""
    return max(np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True))


def none(compose):
    return largest(*clipped(compose, "none"))


def norm(compose):
    before, after = clipped(compose, "norm", "clip.max_norm=2.5")
    length = np.sqrt(sum((gradient**2).sum() for gradient in before))
    assert length > 2.5
    return largest(after, [gradient * 2.5 / length for gradient in before])


def value(compose):
    before, after = clipped(compose, "value", "clip.max_value=0.3")
    return largest(after, [gradient.clip(-0.3, 0.3) for gradient in before])


def agc(compose):
    """Clip rows and filters unit by unit, and vectors as a whole; the last layer is left out."""
    before, after = clipped(compose, "agc", "clip.clipping=0.8", "clip.eps=0.5")
    weights = [parameter.detach().numpy() for parameter in network().parameters()]
    expected, shortened = [], []
    for weight, gradient in zip(weights[:-2], before[:-2], strict=True):
        units = list(range(len(weight))) if weight.ndim > 1 else [slice(None)]
        gradient = gradient.copy()
        for unit in units:
            longest = 0.8 * max(np.sqrt((weight[unit] ** 2).sum()), 0.5)
            length = np.sqrt((gradient[unit] ** 2).sum())
            shortened.append(length > longest)
            gradient[unit] *= longest / length if length > longest else 1
        expected.append(gradient)
    assert 0 < sum(shortened) < len(shortened)
    return largest(after, expected + before[-2:])


ROWS = {
    "none": Row("the gradients themselves", none, 0),
    "norm": Row("its formula in numpy", norm, 1e-6),  # torch adds 1e-6 to the norm
    "value": Row("its formula in numpy", value, 0),
    "agc": Row("its formula in numpy, unit by unit", agc, 1e-12),
}
