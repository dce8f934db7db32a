"""The residual networks of the ImageNet challenge of 2015."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from dlcourse.layer.activation import activation_layer
from dlcourse.layer.image import image_shape, is_small
from dlcourse.layer.norm import norm_layer
from dlcourse.machine.fused_layers import has_hooks, norm_add_relu, run_layers

MIN_SIZE = 9  # the last stage then sees 2 x 2


def convolution(inputs: int, maps: int, size: int, stride: int, norm: str) -> list[nn.Module]:
    """Make a convolution (N, inputs, H, W) -> (N, maps, H / stride, W / stride) and its norm.

    With a norm the convolution has no bias, because the norm has a shift.
    """
    layer = nn.Conv2d(inputs, maps, size, stride, padding=size // 2, bias=norm == "none")
    return [layer] if norm == "none" else [layer, norm_layer(norm, maps, images=True)]


def two_layers(inputs: int, maps: int, stride: int, activation: str, norm: str) -> nn.Sequential:
    """Make the two 3 x 3 convolutions of a block of ResNet-18 or 34 (figure 2)."""
    return nn.Sequential(
        *convolution(inputs, maps, 3, stride, norm),
        activation_layer(activation),
        *convolution(maps, maps, 3, 1, norm),
    )


def bottleneck_layers(
    inputs: int, maps: int, stride: int, activation: str, norm: str
) -> nn.Sequential:
    """Make the 1 x 1, 3 x 3 and 1 x 1 convolutions of a block of ResNet-50 (figure 5, right).

    The first reduces the inputs to a quarter of the maps that the last returns.
    """
    narrow = maps // 4
    return nn.Sequential(
        *convolution(inputs, narrow, 1, 1, norm),
        activation_layer(activation),
        *convolution(narrow, narrow, 3, stride, norm),
        activation_layer(activation),
        *convolution(narrow, maps, 1, 1, norm),
    )


class Block(nn.Module):
    """Adds layers F and a shortcut: activation(F(x) + shortcut(x)), equation 1.

    Maps (N, C, H, W) to the common shape of layers and shortcut. A block of a plain network has no
    shortcut, and the same weights under the same names.

    fused_form: the class that replaces it with ``runtime.fused_layers``.
    """

    fused_form: type[nn.Module]

    def __init__(self, layers: nn.Module, shortcut: nn.Module | None, activation: str) -> None:
        super().__init__()
        self.layers = layers
        self.shortcut = shortcut
        self.activation = activation_layer(activation)

    def forward(self, maps: Tensor) -> Tensor:
        residual = self.layers(maps)
        if self.shortcut is not None:
            residual = residual + self.shortcut(maps)
        return self.activation(residual)


class FusedBlock(Block):
    """A ``Block`` that computes its last norm, the addition and the ReLU as one layer.

    See ``machine.fused_layers``; without a shortcut and where a hook observes the layers, it is
    computed as a ``Block``.
    """

    def forward(self, maps: Tensor) -> Tensor:
        if self.shortcut is None or has_hooks(self.layers):
            return super().forward(maps)
        *layers, norm = cast(nn.Sequential, self.layers)
        residual = run_layers(layers, maps)
        return norm_add_relu(norm, self.activation, residual, self.shortcut(maps))


Block.fused_form = FusedBlock


class ResNet(nn.Module):
    """Classifies images with a stem, four stages of residual blocks and one linear layer.

    Input (N, C, H, W) with H and W at least 9, output (N, output_size). For 224 x 224 x 3 and 1000
    classes it has the parameters of torchvision's ``resnet18``, ``34`` and ``50``: 11,689,512,
    21,797,672 and 25,557,032.

    For images with a side below 64 pixels the first convolution is 3 x 3 with stride 1 instead of
    7 x 7 with stride 2, and no max pooling follows it.

    blocks: number of blocks in each of the four stages.
    bottleneck: whether a block is 1x1-3x3-1x1 instead of 3x3-3x3.
    width: maps of the first convolution; all others are proportional.
    skip: whether blocks have shortcuts; without them it is a plain network.

    Raises UserError for smaller images and for inputs that are not images.

    Reference: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016,
    table 1, with shortcuts of option B.
    Departs from it: in a bottleneck the 3 x 3 convolution has the stride, not the 1 x 1 before it
    (torchvision's "v1.5"). The initial weights are PyTorch's; the paper's are ``init=he_normal``.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        blocks: Sequence[int],
        bottleneck: bool,
        width: int,
        skip: bool,
        activation: str,
        norm: str,
    ) -> None:
        super().__init__()
        layers_of, depth = (bottleneck_layers, 3) if bottleneck else (two_layers, 2)
        name = f"resnet{depth * sum(blocks) + 2}"
        channels, *sides = image_shape(name, input_shape, MIN_SIZE)
        size, stride = (3, 1) if is_small(*sides) else (7, 2)

        self.stem = nn.Sequential(
            *convolution(channels, width, size, stride, norm), activation_layer(activation)
        )
        if not is_small(*sides):
            self.stem.append(nn.MaxPool2d(3, 2, padding=1))
        self.stages = nn.Sequential()
        inputs = width
        for stage, count in enumerate(blocks):
            maps = width * 2**stage * (4 if bottleneck else 1)  # 64, 128, 256, 512; or times 4
            blocks_of_stage = nn.Sequential()
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                layers = layers_of(inputs, maps, stride, activation, norm)
                shortcut = nn.Identity() if skip else None
                if skip and (inputs != maps or stride > 1):
                    shortcut = nn.Sequential(*convolution(inputs, maps, 1, stride, norm))
                blocks_of_stage.append(Block(layers, shortcut, activation))
                inputs = maps
            self.stages.append(blocks_of_stage)
        self.output = nn.Linear(inputs, output_size)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stem(images)  # (N, 64, 56, 56) at 224 pixels, (N, 64, 32, 32) at 32
        maps = self.stages(maps)  # (N, 512, 7, 7) at 224 pixels, (N, 512, 4, 4) at 32
        features = maps.mean((2, 3))  # (N, 512), or 2048 after bottlenecks
        return self.output(features)  # (N, output_size)
