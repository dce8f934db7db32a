"""Grad-CAM: which regions of an image are evidence for a class, at a layer of maps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.look.attribution import draw_explained, explained, total_scores
from dlcourse.look.layers import LookLayer, chosen_layer, recorded
from dlcourse.look.subject import Drawing, Subject


def class_evidence(
    network: nn.Module,
    layer: LookLayer,
    outputs: Callable[[Tensor], Tensor],
    images: Tensor,
    classes: Tensor,
) -> Tensor:
    """Return the evidence (N, h, w) for each image's class at the positions of a layer's maps.

    It is the sum of the maps (N, C, h, w), each weighted by the mean of the derivative of the
    class's output by its values; negative sums become 0. After the last convolution before an
    average and one dense layer, the weights are those of the dense layer over h w: then it is the
    class activation map of ``dlcourse.layer.class_activation`` over h w.

    outputs: raw images (N, C, H, W), floats from 0 to 255, -> outputs (N, K) before the softmax.

    Reference: Selvaraju et al., "Grad-CAM: visual explanations from deep networks via
    gradient-based localization", ICCV 2017, equations 1 and 2.
    """
    with recorded(network, [layer]) as kept:
        score = total_scores(outputs(images.float().requires_grad_()), classes)
    maps = kept[layer.name]  # (N, C, h, w)
    (gradient,) = torch.autograd.grad(score, maps)
    weight = gradient.mean((2, 3), keepdim=True)  # (N, C, 1, 1)
    return F.relu((weight * maps).sum(1)).detach()


def last_unpooled(layers: Sequence[LookLayer]) -> LookLayer:
    """Return the last layer of maps that is not the output of a pooling; else the last one."""
    return [*layers[-1:], *(layer for layer in layers if not layer.pooled)][-1]


def look_at(subject: Subject, options: Mapping[str, Any]) -> list[Drawing]:
    """Draw the evidence over each image; by default at the last maps before a pooling."""

    def is_large_map(layer: LookLayer) -> bool:
        return len(layer.shape) == 3 and layer.shape[1] * layer.shape[2] > 1

    found = explained(subject, options, "gradcam")
    layer = chosen_layer(
        subject.layers, options["layer"], is_large_map, "gradcam", "a layer of maps", last_unpooled
    )
    images = found.examples.inputs.float()
    evidence = class_evidence(subject.network, layer, subject.outputs, images, found.classes)
    rows, columns = evidence.shape[1:]
    large = F.interpolate(evidence[:, None], images.shape[2:], mode="bilinear")[:, 0]
    title = f"Grad-CAM at {layer.name} ({rows} x {columns}): bright regions are for the class"
    drawing = draw_explained(found, large.cpu().numpy(), title, signed=False, over=True)
    empty = int((evidence.amax((1, 2)) == 0).sum())
    total = len(evidence)
    more = f"; on {empty} of {total} images no region is for the class" if empty else ""
    return [Drawing(layer.name, drawing.figures, f"{layer.name}: {drawing.seen}{more}")]
