"""DeepDream: an image changed so that it shows more of what a layer sees in it."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from dlcourse.core import WHITE
from dlcourse.introspect.displayed import displayed
from dlcourse.look.ascent import Score, normalized, unit_score
from dlcourse.look.attribution import draw_columns
from dlcourse.look.gradcam import last_unpooled
from dlcourse.look.layers import LookLayer, chosen_layer, is_map, recorded
from dlcourse.look.maximise import chosen_units, class_score
from dlcourse.look.occlusion import places
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.subject import Drawing, Subject

SCALE = 1.4  # from one octave to the next


def dream(
    score: Score,
    images: Tensor,
    *,
    octaves: int,
    steps: int,
    rate: float,
    generator: torch.Generator,
) -> Tensor:
    """Return raw images (N, C, H', W') whose tiles of (H, W) have higher scores.

    The images are enlarged by 1.4 for each octave after the first. In each octave the derivative
    of the score is added ``steps`` times: it is computed on tiles of the network's own size, at
    positions that are shifted at random each time. What an octave has added is enlarged too.

    Reference: Mordvintsev, Olah, Tyka, "Inceptionism: going deeper into neural networks", Google
    Research blog, 2015.
    Departs from it: tiles instead of a network on larger images, so that any model can be used.
    """
    side = images.shape[2:]
    added = torch.zeros_like(images)
    base = images
    for octave in range(octaves):
        size = [round(length * SCALE**octave) for length in side]
        base = F.interpolate(images, size, mode="bilinear", antialias=True)
        added = F.interpolate(added, size, mode="bilinear")
        for _ in range(steps):
            move = [int(torch.randint(length, (), generator=generator)) for length in side]
            shifted = (base + added).clamp(0, WHITE).roll(move, (2, 3))
            gradient = normalized(tiled_gradient(score, shifted, side))
            added = added + rate * gradient.roll([-move[0], -move[1]], (2, 3))
    return (base + added).clamp(0, WHITE)


def tiled_gradient(score: Score, images: Tensor, side: torch.Size) -> Tensor:
    """Return the derivative of the scores of all tiles (N, C, *side) by large images."""
    total = torch.zeros_like(images)
    for top in places(images.shape[2], side[0], side[0]):
        for left in places(images.shape[3], side[1], side[1]):
            window = (..., slice(top, top + side[0]), slice(left, left + side[1]))
            tile = images[window].clone().requires_grad_()
            (gradient,) = torch.autograd.grad(score(tile).sum(), tile)
            total[window] += gradient
    return total


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw each image above its dream: of a class, of a unit, or of all that a layer sees."""
    if not subject.of_images:
        raise NotApplicableError("what=dream needs images, and the run was trained on a table")
    examples = subject.examples(options)
    images = examples.inputs.float()
    if options["class"] is None:
        layer = chosen_layer(
            subject.layers, options["layer"], is_map, "dream", "a layer of maps", last_unpooled
        )
        of = layer.name
    else:
        layer, of = None, f"class {subject.classes[options['class']]}"
    score = dream_score(subject, layer, options)
    generator = torch.Generator().manual_seed(options["seed"])
    dreamt = dream(
        score, images, octaves=options["octaves"], steps=options["steps"], rate=options["rate"],
        generator=generator,
    )  # fmt: skip
    unit = "" if options["unit"] is None or layer is None else f", unit {options['unit']}"
    rows, columns = dreamt.shape[2:]
    title = f"dream of {of}{unit}: {options['octaves']} octaves, up to {rows} x {columns} pixels"
    labels = [label.replace(": ", "\n") for label in examples.labels]
    figure = draw_columns(
        [displayed(images), displayed(dreamt)], [labels, [""] * len(labels)], title, cell=1.8
    )
    with torch.no_grad():
        before = float(score(images).mean())
        small = F.interpolate(dreamt, images.shape[2:], mode="bilinear", antialias=True)
        after = float(score(small).mean())
    seen = f"{of}{unit}: the mean score rises from {before:.3g} to {after:.3g}"
    return [Drawing("" if layer is None else layer.name, [figure], seen)]


def dream_score(subject: Subject, layer: LookLayer | None, options: Mapping[str, Any]) -> Score:
    """Return what a dream raises: a class's output, a unit, or the mean square of a layer."""
    if layer is None:
        return lambda images: class_score(subject, [options["class"]] * len(images))(images)
    if options["unit"] is not None:
        (unit,) = chosen_units(layer, options["unit"], 1)
        return lambda images: unit_score(subject, layer, [unit] * len(images))(images)

    def mean_square(images: Tensor) -> Tensor:
        with recorded(subject.network, [layer]) as kept:
            subject.outputs(images)
        return kept[layer.name].square().flatten(1).mean(1)

    return mean_square
