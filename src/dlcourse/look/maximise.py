"""The input that excites a class or a unit of a layer, found from noise."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dlcourse.core import WHITE
from dlcourse.drawing.image_grid import draw_image_grid
from dlcourse.drawing.text import class_labels, shortened
from dlcourse.errors import UserError
from dlcourse.introspect.displayed import displayed
from dlcourse.look.ascent import Score, gradient_ascent, unit_score, units_of
from dlcourse.look.layers import LookLayer, chosen_layer
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.subject import Drawing, Subject

CONTRAST = 25.0  # standard deviation of the noise at the start, in grey levels


def noise_image(subject: Subject, number: int, generator: torch.Generator) -> Tensor:
    """Return raw images (number, C, H, W) of noise around the mean of the training data."""
    drawn = torch.randn(number, *subject.input_shape, generator=generator) * CONTRAST
    mean = subject.opened.model.mean.float().cpu()
    centre = mean.view(subject.input_shape) if mean.numel() == drawn[0].numel() else mean
    return (drawn + centre).clamp(0, WHITE).to(subject.device)


def class_score(subject: Subject, classes: Sequence[int]) -> Score:
    """Return a score: for image i, the output for class ``classes[i]`` before the softmax.

    Reference: Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks", 2014, section 2.
    """
    place = torch.tensor(classes, device=subject.device)[:, None]
    return lambda images: subject.outputs(images).gather(1, place).squeeze(1)


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw the image that excites each class most, or each unit of a layer, from the same noise.

    Reference: Erhan, Bengio, Courville, Vincent, "Visualizing higher-layer features of a deep
    network", 2009; Olah, Mordvintsev, Schubert, "Feature visualization", Distill 2017.
    """
    if not subject.of_images:
        raise NotApplicableError("what=maximise needs images, and the run was trained on a table")
    if options["layer"] or options["unit"] is not None or not subject.classes:
        layer = chosen_layer(
            subject.layers, options["layer"], lambda layer: True, "maximise", "a layer"
        )
        units = chosen_units(layer, options["unit"], options["most"])
        score, name = unit_score(subject, layer, units), layer.name
        labels = [f"unit {unit}" for unit in units]
        title = f"maximise: the input that excites each unit of {layer.name}"
    else:
        one = options["class"]
        units = [*range(len(subject.classes))][: options["most"]] if one is None else [one]
        score, name = class_score(subject, units), ""
        names, _ = class_labels(subject.classes)
        labels = [shortened(names[unit], 14) for unit in units]
        title = "maximise: the input that excites each class"
    generator = torch.Generator().manual_seed(options["seed"])
    start = noise_image(subject, 1, generator).expand(len(units), -1, -1, -1)
    images, scores = gradient_ascent(
        score, start, steps=options["steps"], rate=options["rate"], jitter=options["jitter"],
        blur_every=options["blur_every"], generator=generator,
    )  # fmt: skip
    with torch.no_grad():
        last = score(images)
    reached = [f"{label}\n{value:.1f}" for label, value in zip(labels, last.tolist(), strict=True)]
    columns = min(5, len(units)) if len(units) <= 10 else None
    figure = draw_image_grid(displayed(images), reached, columns=columns, title=title)
    progress = [scores[0], scores[len(scores) // 2], last]
    means = ", ".join(f"{float(values.mean()):.2f}" for values in progress)
    seen = (
        f"mean output at the start, after {len(scores) // 2} and {len(scores)} steps: {means}"
        + ("" if name else f"; {recognised(subject, images, units)}")
    )
    return [Drawing(name, [figure], seen)]


def chosen_units(layer: LookLayer, unit: int | None, most: int) -> list[int]:
    """Return the chosen unit, or the first ``most``; raises UserError for one that is not there."""
    total = units_of(layer)
    if unit is None:
        return list(range(min(total, most)))
    if unit >= total:
        raise UserError(
            f"unit={unit} does not exist: {layer} has the units 0 to {total - 1}.\n"
            f"Type unit={total - 1}"
        )
    return [unit]


def recognised(subject: Subject, images: Tensor, classes: Sequence[int]) -> str:
    """Return for how many images the network predicts the class that they were made for."""
    predicted = subject.probabilities(images).argmax(1).tolist()
    right = sum(one == other for one, other in zip(predicted, classes, strict=True))
    return f"{right} of {len(classes)} are predicted as their class"
