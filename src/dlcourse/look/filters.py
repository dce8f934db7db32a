"""The weights of a convolution, or of the first dense layer on images, as images."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from dlcourse.drawing.image_grid import draw_image_grid
from dlcourse.drawing.style import DIVERGING
from dlcourse.look.layers import LookLayer, chosen_layer
from dlcourse.look.subject import Drawing, Subject

MOST_INPUTS = 16  # input channels of a deeper convolution that are drawn


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw a layer's filters; those of three input channels in colour, others by channel."""
    pixels = math.prod(subject.input_shape) if subject.of_images else 0

    def has_filters(layer: LookLayer) -> bool:
        dense = isinstance(layer.module, nn.Linear) and layer.module.in_features == pixels
        return isinstance(layer.module, nn.Conv2d) or dense

    layer = chosen_layer(
        subject.layers, options["layer"], has_filters, "filters",
        "a convolution or a dense layer on the pixels",
    )  # fmt: skip
    weight = layer.module.weight
    assert isinstance(weight, Tensor)
    weight = weight.detach().float().cpu()
    if isinstance(layer.module, nn.Linear):
        weight = weight.unflatten(1, subject.input_shape)
    return [filter_grid(layer, weight.numpy(), options["most"])]


def filter_grid(layer: LookLayer, weight: np.ndarray, most: int) -> Drawing:
    """Draw filters (maps, inputs, rows, columns) as a grid.

    With one input channel, white is 0, red positive and blue negative. With three, a filter is an
    image: grey is 0. With more, a row is a filter and a column an input channel.
    """
    maps, inputs, rows, columns = weight.shape
    largest = float(np.abs(weight).max()) or 1.0
    shown = min(maps, most)
    labels: list[str] = []
    if inputs == 3:
        images = list((0.5 + weight[:shown] / (2 * largest)).transpose(0, 2, 3, 1).clip(0, 1))
        across, how = None, f"colour: red, green, blue weight; grey is 0, white {largest:.2g}"
    elif inputs == 1:
        images, across = list(weight[:shown, 0]), None
        how = f"red: positive, blue: negative, up to {largest:.2g}"
    else:
        across = min(inputs, MOST_INPUTS)
        shown = min(shown, max(1, most * 4 // across))
        images = [weight[one, other] for one in range(shown) for other in range(across)]
        how = (
            f"row: map, column: input channel"
            f"{'' if across == inputs else f' (the first {across} of {inputs})'}; "
            f"red: positive, blue: negative, up to {largest:.2g}"
        )
    size = f"{shown} of {maps}" if shown < maps else f"{maps}"
    title = f"{layer.name}: {size} filters of {inputs} x {rows} x {columns}\n{how}"
    cell = 0.9 if len(images) <= 36 else 0.55
    figure = draw_image_grid(
        images, labels, columns=across, title=title, cell=cell, colours=DIVERGING,
        limits=(-largest, largest),
    )  # fmt: skip
    spread, mean = float(weight.std()), float(weight.mean())
    seen = (
        f"{layer.name}: {maps} filters of {inputs} x {rows} x {columns}, weights from "
        f"{weight.min():.2f} to {weight.max():.2f}, mean {mean:.3f}, "
        f"standard deviation {spread:.3f}"
    )
    return Drawing(layer.name, [figure], seen)
