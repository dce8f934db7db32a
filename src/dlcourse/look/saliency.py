"""Saliency: how much the output of a class changes with each pixel."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from dlcourse.look.attribution import draw_explained, explained, total_scores
from dlcourse.look.subject import Drawing, Subject


def input_gradient(outputs: Callable[[Tensor], Tensor], images: Tensor, classes: Tensor) -> Tensor:
    """Return the derivative (N, C, H, W) of each image's output for its class by the pixels.

    outputs: raw images (N, C, H, W), floats from 0 to 255, -> outputs (N, K) before the softmax.
    The derivative is by the raw pixels: the change of the output per grey level.

    Reference: Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks: visualising image
    classification models and saliency maps", ICLR workshop 2014, section 3.
    """
    images = images.float().requires_grad_()
    score = total_scores(outputs(images), classes)
    (gradient,) = torch.autograd.grad(score, images)
    return gradient


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw the largest absolute derivative over the channels; or its product with the pixels."""
    found = explained(subject, options, "saliency")
    gradient = input_gradient(subject.outputs, found.examples.inputs, found.classes)
    if options["times_input"]:
        heat = (gradient * found.examples.inputs).sum(1).cpu().numpy()
        title = "derivative times pixel: red for the class, blue against it"
        return [draw_explained(found, heat, title, signed=True, over=False)]
    heat = gradient.abs().amax(1).cpu().numpy()
    title = "saliency: how much the class's output changes with a pixel"
    return [draw_explained(found, heat, title, signed=False, over=False)]
