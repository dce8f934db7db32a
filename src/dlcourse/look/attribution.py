"""Which pixels a class depends on: the class, the rows of images and the numbers of each method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.drawing.image_grid import blended, draw_image_grid, in_colours
from dlcourse.drawing.style import DIVERGING
from dlcourse.drawing.text import class_labels, shortened
from dlcourse.introspect.displayed import displayed
from dlcourse.look.registry import NotApplicableError
from dlcourse.look.subject import Drawing, Examples, Subject

MOST_COLUMNS = 8
HEAT = "inferno"
STRONGEST = 99.5  # percentile of the values that gets the strongest colour


@dataclass(frozen=True)
class Explained:
    """Images whose classes are explained.

    classes: (N,), the one that is explained of each image. probabilities: (N, K), on the CPU.
    names: a label for each of the K classes.
    """

    examples: Examples
    classes: Tensor
    probabilities: Tensor
    names: Sequence[str]

    @property
    def captions(self) -> list[str]:
        """``class 7: 0.98`` for each image: the class that is explained and its probability."""
        rows = zip(self.classes.tolist(), self.probabilities, strict=True)
        return [f"{self.names[number]}: {float(row[number]):.2f}" for number, row in rows]


def explained(subject: Subject, options: Mapping[str, Any], what: str) -> Explained:
    """Return the images, and the class that is explained of each: the chosen or the predicted one.

    Raises NotApplicableError unless the run is a classifier of images.
    """
    if not subject.of_images:
        raise NotApplicableError(f"what={what} needs images, and the run was trained on a table")
    if not subject.classes:
        raise NotApplicableError(f"what={what} needs classes, and the run is a regression")
    examples = subject.examples(options)
    probabilities = subject.probabilities(examples.inputs)
    chosen = options["class"]
    classes = probabilities.argmax(1) if chosen is None else torch.full((len(examples),), chosen)
    labels, _ = class_labels(subject.classes)
    names = [shortened(label, 14) for label in labels]
    return Explained(examples, classes.to(subject.device), probabilities, names)


def total_scores(outputs: Tensor, classes: Tensor) -> Tensor:
    """Return the sum over the batch of each example's output for its class, before the softmax."""
    return outputs.gather(1, classes[:, None]).sum()


def strongest(values: np.ndarray) -> float:
    """Return the value that gets the strongest colour; a few larger ones get it too."""
    return float(np.percentile(np.abs(values), STRONGEST)) or 1e-12


def draw_explained(
    found: Explained, heat: np.ndarray, title: str, *, signed: bool, over: bool
) -> Drawing:
    """Draw each image above the map of what its class depends on.

    heat: (N, H, W). signed: red is for the class and blue against it; else bright is strong. over:
    lay the map over the image. Each map has its own scale.
    """
    images = displayed(found.examples.inputs)
    below = []
    for image, values in zip(images, heat, strict=True):
        top = strongest(values)
        low, colours = (-top, DIVERGING) if signed else (0.0, HEAT)
        map_image = in_colours(values, colours, low, top)
        opacity = 0.85 * np.clip(np.abs(values) / top, 0, 1) ** 0.5
        below.append(blended(image, map_image, opacity) if over else map_image)
    labels = [label.replace(": ", "\n") for label in found.examples.labels]
    title = f"{title}\nbelow it: the class that is explained, and its probability"
    figure = draw_columns([images, below], [labels, found.captions], title)
    return Drawing("", [figure], mean_share(found, heat))


def draw_columns(
    rows: Sequence[Sequence[np.ndarray]], labels: Sequence[Sequence[str]], title: str, **look: Any
):
    """Draw a column for each example and a row for each kind of image; many examples are wrapped.

    rows: for each kind the images (N of them). labels: the texts below them, in the same order.
    """
    total = len(rows[0])
    across = min(total, MOST_COLUMNS)
    images: list[np.ndarray | None] = []
    texts: list[str] = []
    for start in range(0, total, across):
        for kind, own in zip(rows, labels, strict=True):
            part, text = list(kind[start : start + across]), list(own[start : start + across])
            gap = across - len(part)
            images += [*part, *[None] * gap]
            texts += [*text, *[""] * gap]
    return draw_image_grid(images, texts, columns=across, title=title, **look)


def mean_share(found: Explained, heat: np.ndarray) -> str:
    """Return how concentrated the maps are: the share of pixels that holds half of their sum."""
    shares = []
    for values in np.abs(heat).reshape(len(heat), -1):
        ordered = np.sort(values)[::-1].cumsum()
        shares.append(float((ordered < ordered[-1] / 2).mean()))
    known = found.examples.targets
    right = ""
    if known is not None and not known.is_floating_point():
        correct = int((found.probabilities.argmax(1) == known).sum())
        right = f"; {correct} of {len(known)} images are classified correctly"
    return f"half of the strength lies in {np.mean(shares):.0%} of the pixels{right}"
