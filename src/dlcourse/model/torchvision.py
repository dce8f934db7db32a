"""The classifiers of torchvision, with random or published weights."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.errors import UserError
from dlcourse.layer.image import image_shape
from dlcourse.model.published import failure_on, published, weights_of
from dlcourse.schema.weight_files import names_a_file
from dlcourse.weights.fit import load_file

IMAGENET_CLASSES = 1000  # the outputs of every network with published weights
BLOCK_LISTS = ("features", "encoder", "layers", "blocks", "trunk_output", "stages")  # block lists
AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")


class Torchvision(nn.Module):
    """Classifies images with a published network and a new output layer.

    Input (N, C, H, W) with 1 or 3 channels, output (N, output_size). Grey images are repeated to
    three channels. The layer ``output`` replaces the network's last layer with its 1000 outputs for
    ImageNet; everything before it is ``backbone``. SqueezeNet's last layer is a convolution; there
    ``output`` follows the pooling after it.

    name: as in ``torchvision.models.list_models()``.
    weights: None for random ones, ``DEFAULT`` for the best published ones, the name of an older
        set such as ``IMAGENET1K_V1``, or a file of weights; if it has another number of classes,
        the output layer stays random.
    freeze: ``none``; ``backbone`` to train the output layer only; or a number N to freeze the first
        N blocks.
    size: side in pixels to which images are resized first; None does not resize.

    Raises UserError for an unknown name, for weights that are not available, for more blocks than
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
        file = weights if weights is not None and names_a_file(weights) else None
        self.backbone = published(name, None if file else weights)
        head, features = cut_head(self.backbone)
        self.output = nn.Linear(features, output_size)
        if file is not None:
            self.origin = load_file(
                self, file, "model.weights", layers={head: "output"}, adapt=without_auxiliary
            )
        for block in first_blocks(self.backbone, f"torchvision's {name}", freeze):
            block.requires_grad_(False)
        self.try_out(name, torch.zeros(1, channels, height, width))

    def try_out(self, name: str, image: Tensor) -> None:
        """Run one image through the network; raises UserError if it cannot take it."""
        error = failure_on(self, image)
        if error is not None:
            _, _, height, width = image.shape
            trained_on = weights_of(name)["DEFAULT"].transforms().crop_size[0]
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise UserError(
                f"torchvision's {name} cannot take images of {self.size or height} x "
                f"{self.size or width}: {reason}\n"
                f"Type model.size={trained_on}, to which they are then resized"
            ) from error

    def features(self, images: Tensor) -> Tensor:
        """Return the inputs of the output layer (N, features)."""
        if self.size is not None:
            side = (self.size, self.size)
            images = F.interpolate(images, side, mode="bilinear", antialias=True)
        return self.backbone(images.expand(-1, 3, -1, -1)).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        return self.output(self.features(images))  # (N, output_size)


def without_auxiliary(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors without those of the auxiliary classifiers of GoogLeNet and Inception v3."""
    return {name: one for name, one in tensors.items() if not name.startswith(AUXILIARY)}


def cut_head(net: nn.Module) -> tuple[str, int]:
    """Replace the last layer by the identity; return its name and its number of inputs."""
    heads = {
        place: layer
        for place, layer in net.named_modules()
        if isinstance(layer, nn.Linear | nn.Conv2d) and layer.weight.shape[0] == IMAGENET_CLASSES
    }
    place, head = list(heads.items())[-1]
    parent, _, name = place.rpartition(".")
    setattr(net.get_submodule(parent), name, nn.Identity())
    return place, head.weight.shape[1]


def first_blocks(net: nn.Module, called: str, freeze: str | int) -> list[nn.Module]:
    """Return the modules to freeze; raises UserError for more blocks than there are.

    called: the network's name, for messages.

    A block is a module with weights at the top level of the network, or in its list of blocks if it
    has one, such as ``features`` or ``encoder.layers``. A ViT's class token and position embedding
    belong to no block.
    """
    if isinstance(freeze, str):
        return [net] if freeze == "backbone" else []
    blocks = list(blocks_of(net))
    if freeze > len(blocks):
        raise UserError(
            f"{called} has {len(blocks)} blocks, got model.freeze={freeze}.\n"
            f"Type model.freeze={len(blocks)} or less, or model.freeze=backbone"
        )
    return blocks[:freeze]


def blocks_of(net: nn.Module) -> list[nn.Module]:
    """Return the modules with weights; a container is replaced by its modules."""
    parts = []
    for name, part in net.named_children():
        if any(True for _ in part.parameters()):
            parts += blocks_of(part) if name in BLOCK_LISTS else [part]
    return parts
