"""Integrated gradients: what each pixel adds to the output of a class, from a black image on."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from dlcourse.look.attribution import Explained, draw_explained, explained, total_scores
from dlcourse.look.saliency import input_gradient
from dlcourse.look.subject import Drawing, Subject


def integrated_gradients(
    outputs: Callable[[Tensor], Tensor],
    images: Tensor,
    classes: Tensor,
    baseline: Tensor,
    steps: int,
) -> Tensor:
    """Return what each pixel adds (N, C, H, W) to its image's output for its class.

    The derivative is averaged along the straight line from the baseline to the image, at the
    middles of ``steps`` equal pieces, and multiplied by their difference. The sum over the pixels
    is, up to the error of the sum, the output for the image less that for the baseline.

    outputs: raw images (N, C, H, W), floats from 0 to 255, -> outputs (N, K) before the softmax.
    baseline: (N, C, H, W) or one that broadcasts.

    Reference: Sundararajan, Taly, Yan, "Axiomatic attribution for deep networks", ICML 2017.
    """
    difference = images.float() - baseline
    total = torch.zeros_like(difference)
    for step in range(steps):
        share = (step + 0.5) / steps
        total += input_gradient(outputs, baseline + share * difference, classes)
    return difference * total / steps


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw the sum over the channels: red pixels are for the class, blue ones against it."""
    found = explained(subject, options, "integrated_gradients")
    images = found.examples.inputs.float()
    baseline = torch.full_like(images, 255.0 if options["baseline"] == "white" else 0.0)
    added = integrated_gradients(subject.outputs, images, found.classes, baseline, options["steps"])
    title = f"integrated gradients from {options['baseline']}: red for the class, blue against it"
    heat = added.sum(1).cpu().numpy()
    drawing = draw_explained(found, heat, title, signed=True, over=False)
    return [Drawing("", drawing.figures, completeness(subject, found, added, baseline))]


@torch.no_grad()
def completeness(subject: Subject, found: Explained, added: Tensor, baseline: Tensor) -> str:
    """Return the sum over the pixels next to the difference of the outputs, on average."""
    ends = [subject.outputs(some) for some in (found.examples.inputs.float(), baseline)]
    after, before = (float(total_scores(one, found.classes)) / len(baseline) for one in ends)
    total = float(added.sum()) / len(baseline)
    return (
        f"the pixels add {total:.2f} to the class's output on average, which rises from "
        f"{before:.2f} to {after:.2f}, by {after - before:.2f}"
    )
