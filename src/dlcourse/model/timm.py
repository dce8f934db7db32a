"""The classifiers of timm, with random or published weights."""

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.errors import UserError
from dlcourse.layer.image import image_shape
from dlcourse.model.published import failure_on
from dlcourse.model.timm_network import (
    adapter_of,
    default_size,
    heads_of,
    make_network,
    refuse_reserved,
    refuse_unknown,
    wrong_size,
)
from dlcourse.model.torchvision import first_blocks
from dlcourse.weights.fit import load_file

log = logging.getLogger(__name__)


class Timm(nn.Module):
    """Classifies images with a network of timm, which is ``net``.

    Input (N, C, H, W), output (N, output_size). The network's first layer takes C channels and its
    last one has ``output_size`` outputs; published weights are adapted to both as timm does it.

    name: as in ``timm.list_models()``, also with the name of its weights: ``resnet18.a1_in1k``.
    pretrained: whether to take the published weights. weights: a file of weights, or None.
    freeze: ``none``; ``backbone`` to train the output layer only; or a number N to freeze the first
        N blocks.
    size: side in pixels to which images are resized first; None does not resize.
    options: more arguments of the network, such as ``drop_path_rate``.

    Raises UserError for an unknown name or option, for weights that are not available, and for
    images that the network cannot take.

    Reference: Wightman, "PyTorch image models", 2019; each network's paper is named in timm's
    documentation.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        name: str,
        pretrained: bool,
        weights: str | None,
        freeze: str | int,
        size: int | None,
        options: Mapping[str, Any] | None,
    ) -> None:
        super().__init__()
        refuse_unknown(name)
        channels, height, width = image_shape("timm", input_shape, 1)
        self.size = size
        sides = (height, width) if size is None else (size, size)
        refuse_reserved(options or {})
        given = {**(options or {}), "in_chans": channels, "num_classes": output_size}
        self.net, self.origin = make_network(name, sides, given, pretrained=pretrained)
        if weights is not None:
            adapt = adapter_of(self.net, channels)
            self.origin = load_file(
                self.net, weights, "model.weights", heads=heads_of(self.net), adapt=adapt
            )
        if freeze == "backbone":
            self.net.requires_grad_(False)
            for head in heads_of(self.net):
                self.net.get_submodule(head).requires_grad_(True)
        else:
            for block in first_blocks(self.net, f"timm's {name}", freeze):
                block.requires_grad_(False)
        self.try_out(name, torch.zeros(1, channels, height, width))
        warn_of_small_maps(name, min(sides), reduction_of(self.net))

    def try_out(self, name: str, image: Tensor) -> None:
        """Run one image through the network; raises UserError if it cannot take it."""
        error = failure_on(self, image)
        if error is not None:
            _, _, height, width = image.shape
            raise UserError(
                wrong_size(name, (self.size or height, self.size or width), error)
            ) from error

    def forward(self, images: Tensor) -> Tensor:
        if self.size is not None:
            side = (self.size, self.size)
            images = F.interpolate(images, side, mode="bilinear", antialias=True)
        return self.net(images)  # (N, output_size)


def reduction_of(net: nn.Module) -> int:
    """Return by how much a network divides the sides of an image; 1 if it does not say so."""
    stages = getattr(net, "feature_info", None) or [{}]
    return stages[-1].get("reduction", 1)


@cache
def warn_of_small_maps(name: str, side: int, reduction: int) -> None:
    """Warn once if the last maps of a network have a single pixel."""
    if side <= reduction:
        log.warning(
            "timm's %s divides the sides of an image by %d, so that 1 pixel is left of %d; "
            "model.size=%d enlarges the images first",
            name, reduction, side, default_size(name),
        )  # fmt: skip
