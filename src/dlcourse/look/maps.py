"""The feature maps of a layer for some images."""

from collections.abc import Mapping
from typing import Any

import torch

from dlcourse.drawing.image_grid import draw_image_grid, in_colours
from dlcourse.drawing.style import DIVERGING, SEQUENTIAL
from dlcourse.introspect.displayed import displayed
from dlcourse.look.layers import chosen_layer, is_map, recorded
from dlcourse.look.subject import Drawing, Subject

WIDTH = 12.0  # inches of a row


@torch.no_grad()
def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw a row for each image: the image, then the maps that a layer computes of it."""
    layer = chosen_layer(subject.layers, options["layer"], is_map, "maps", "a layer of maps")
    examples = subject.examples(options)
    with recorded(subject.network, [layer]) as kept:
        subject.outputs(examples.inputs)
    maps = kept[layer.name].float().cpu().numpy()  # (N, C, H, W)
    shown = min(maps.shape[1], options["most"])
    largest = float(abs(maps).max())
    low, colours = (-largest, DIVERGING) if maps.min() < 0 else (0.0, SEQUENTIAL)
    images, labels = [], []
    for image, own, label in zip(displayed(examples.inputs), maps, examples.labels, strict=True):
        grey = image if image.ndim == 3 else in_colours(image, "gray", 0, 1)
        images += [grey, *own[:shown]]
        labels += [label.replace(": ", "\n"), *(f"map {number}" for number in range(shown))]
    dead = int((maps.max((0, 2, 3)) <= 0).sum())
    total = maps.shape[1]
    size = f"the first {shown} of {total}" if shown < total else f"{total}"
    scale = "red: positive, blue: negative" if low < 0 else "dark is 0"
    title = f"{layer.name}: {size} maps of {maps.shape[2]} x {maps.shape[3]}; {scale}"
    cell = max(0.6, min(1.2, WIDTH / (shown + 1)))
    figure = draw_image_grid(
        images,
        labels,
        columns=shown + 1,
        title=title,
        cell=cell,
        colours=colours,
        limits=(low, largest),
    )
    seen = (
        f"{layer.name}: {total} maps of {maps.shape[2]} x {maps.shape[3]}, "
        f"{never_active(dead)} on the {len(examples)} images; values from {maps.min():.2f} to "
        f"{maps.max():.2f}"
    )
    return [Drawing(layer.name, [figure], seen)]


def never_active(number: int) -> str:
    """Return in words how many maps are never above 0."""
    if number == 0:
        return "each above 0 somewhere"
    return f"{number} of them nowhere above 0"
