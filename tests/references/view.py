"""The reference of every view."""

import numpy as np
import torch
from references.row import Row
from torch import nn
from torchvision.transforms.v2 import functional as V

from dlcourse.engine.instantiate import build
from dlcourse.view.answer import from_views


class Nonlinear(nn.Module):
    """A nonlinear model with different weights for each pixel, so that all views differ."""

    def __init__(self):
        super().__init__()
        self.weight = torch.randn(3 * 6 * 7, 4, dtype=torch.float64)

    def forward(self, images):
        return (images.flatten(1) @ self.weight).tanh()


def mean_output(compose, *overrides):
    """Return images (5, 3, 6, 7), a model and its mean output over the views of a config."""
    torch.manual_seed(0)
    images, model = torch.randn(5, 3, 6, 7).double(), Nonlinear()
    views = [build(node) for node in compose(*overrides)["view"].values()]
    return images, model, from_views(views, torch.Tensor.contiguous)(model, images)


def gap(ours, theirs):
    return float((ours - theirs).abs().max())


def none(compose):
    images, model, ours = mean_output(compose, "view=none")
    return gap(ours, model(images))


def mirror(compose):
    images, model, ours = mean_output(compose, "view=[mirror]")
    return gap(ours, (model(images) + model(V.hflip(images))) / 2)


def shift(compose):
    """Compare with numpy's padding: shifts alone, and shifts with their mirror images."""
    images, model, ours = mean_output(compose, "view=[shift]", "view.shift.pixels=2")
    padded = np.pad(images.numpy(), [(0, 0), (0, 0), (2, 2), (2, 2)], mode="reflect")
    shifted = [torch.from_numpy(padded[..., k : k + 6, k : k + 7].copy()) for k in (0, 4)]
    alone = gap(ours, model(images) / 2 + sum(model(some) for some in shifted) / 4)
    overrides = ["view=[shift,mirror]", "view.shift.pixels=2"]
    *_, ours = mean_output(compose, *overrides)
    six = [(1 / 4, images)] + [(1 / 8, some) for some in shifted]
    theirs = sum(w * (model(some) + model(V.hflip(some))) for w, some in six)
    return max(alone, gap(ours, theirs))


ROWS = {
    "none": Row("the outputs themselves", none, 0),
    "mirror": Row("torchvision hflip, mean of both outputs", mirror, 1e-6),
    "shift": Row("numpy pad, weighted mean of three and of six outputs", shift, 1e-6),
}
