"""Any of torchvision's classifiers, with its published weights if wanted."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.errors import UserError
from dlcourse.layer.image import image_shape
from dlcourse.model.published import published, weights_of

IMAGENET_CLASSES = 1000  # of ImageNet, on which all the published weights were trained
CONTAINERS = ("features", "encoder", "layers", "blocks", "trunk_output")  # of a net's blocks


class Torchvision(nn.Module):
    """Classifies images with a published network and a new output layer.

    Input (N, C, H, W) with 1 or 3 channels, output (N, output_size). Grey images become three
    equal channels. The network's last layer, which knew ImageNet's 1000 classes, makes way for
    ``output``; all before it is ``backbone``. SqueezeNet's last layer is a convolution, and
    ``output`` follows the pooling behind it.

    name: as in ``torchvision.models.list_models()``. weights: None for random ones, ``DEFAULT``
    for the best published ones, or the name of an older set, ``IMAGENET1K_V1``.
    freeze: ``backbone`` trains the output layer only, a number N all behind the first N blocks.
    size: pixels to a side to which images are resized first; None leaves them.

    Raises UserError for an unknown name, for weights that cannot be had, for more blocks than
    there are, and for images that the network cannot take.

    Reference: each network's paper is named in torchvision's documentation.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        name: str,
        weights: str | None,
        freeze: str | int,
        size: int | None,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape("torchvision", input_shape, 1)
        if channels not in (1, 3):
            raise UserError(
                f"model=torchvision takes images of 1 or 3 channels, got {channels}.\n"
                "Type data.channels=3"
            )
        self.size = size
        self.backbone = published(name, weights)
        self.output = nn.Linear(cut_head(self.backbone), output_size)
        for block in first_blocks(self.backbone, name, freeze):
            block.requires_grad_(False)
        self.try_out(name, torch.zeros(1, channels, height, width))

    def try_out(self, name: str, image: Tensor) -> None:
        """Look at one image; raises UserError where the network cannot."""
        self.eval()
        try:
            with torch.no_grad():
                self(image)
        except (RuntimeError, ValueError, AssertionError) as error:
            _, _, height, width = image.shape
            trained_on = weights_of(name)["DEFAULT"].transforms().crop_size[0]
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise UserError(
                f"torchvision's {name} takes no images of {self.size or height} x "
                f"{self.size or width}: {reason}\n"
                f"Type model.size={trained_on}, to which they are then resized"
            ) from error
        self.train()

    def features(self, images: Tensor) -> Tensor:
        """Return what the output layer sees (N, features)."""
        if self.size is not None:
            side = (self.size, self.size)
            images = F.interpolate(images, side, mode="bilinear", antialias=True)
        return self.backbone(images.expand(-1, 3, -1, -1)).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.features(images))  # (N, output_size)


def cut_head(net: nn.Module) -> int:
    """Put nothing in the place of the last layer and return how many inputs it had."""
    heads = {
        place: layer
        for place, layer in net.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d) and layer.weight.shape[0] == IMAGENET_CLASSES
    }
    place, head = list(heads.items())[-1]
    parent, _, name = place.rpartition(".")
    setattr(net.get_submodule(parent), name, nn.Identity())
    return head.weight.shape[1]


def first_blocks(net: nn.Module, name: str, freeze: str | int) -> list[nn.Module]:
    """Return the parts of a net that do not learn; raises UserError for more than there are.

    A block is a part with weights at the top of the net, or in the list of its blocks if it
    has one, ``features`` or ``encoder.layers``. A ViT's class token and positions are in none.
    """
    if freeze in ("none", "backbone"):
        return [net] if freeze == "backbone" else []
    blocks = list(blocks_of(net))
    if freeze > len(blocks):
        raise UserError(
            f"torchvision's {name} has {len(blocks)} blocks, got model.freeze={freeze}.\n"
            f"Type model.freeze={len(blocks)} or less, or model.freeze=backbone"
        )
    return blocks[:freeze]


def blocks_of(net: nn.Module) -> list[nn.Module]:
    """Return the parts with weights, those of a container in its place."""
    parts = []
    for name, part in net.named_children():
        if any(True for _ in part.parameters()):
            parts += blocks_of(part) if name in CONTAINERS else [part]
    return parts
