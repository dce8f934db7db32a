"""GoogLeNet, the first network with Inception blocks."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.layer.activation import activation_layer, pieces
from dlcourse.layer.image import image_shape, is_small
from dlcourse.layer.norm import norm_layer
from dlcourse.layer.pool import pool_layer

MIN_SIZE = 6  # the last blocks then see 2 x 2

# Maps along the four paths of each block: 1x1, 1x1-3x3, 1x1-"5x5", pooling-1x1 (table 1).
INCEPTION3 = ((64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64))
INCEPTION4 = (
    (192, 96, 208, 16, 48, 64),
    (160, 112, 224, 24, 64, 64),
    (128, 128, 256, 24, 64, 64),
    (112, 144, 288, 32, 64, 64),
    (256, 160, 320, 32, 128, 128),
)
INCEPTION5 = ((256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128))


class Inception(nn.Module):
    """Applies four parallel paths to maps (N, C, H, W) and concatenates their outputs.

    paths: number of maps after 1x1 | 1x1, 3x3 | 1x1, another 3x3 | pooling and 1x1, as in a row of
        the paper's table 1. The output is (N, C', H, W); C' is the sum of the first, third, fifth
        and last.
    """

    def __init__(
        self, inputs: int, paths: tuple[int, ...], convolution: Callable[..., nn.Module], pool: str
    ) -> None:
        super().__init__()
        one, narrow3, three, narrow5, five, last = paths
        self.paths = nn.ModuleList(
            [
                convolution(inputs, one, 1),
                nn.Sequential(convolution(inputs, narrow3, 1), convolution(narrow3, three, 3)),
                nn.Sequential(convolution(inputs, narrow5, 1), convolution(narrow5, five, 3)),
                nn.Sequential(pool_layer(pool, 3, 1, padding=1), convolution(inputs, last, 1)),
            ]
        )
        self.outputs = one + three + five + last

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([path(maps) for path in self.paths], dim=1)  # (N, C', H, W)


class GoogLeNet(nn.Module):
    """Classifies images with a stem, nine Inception blocks and one linear layer.

    Input (N, C, H, W) with H and W at least 6, output (N, output_size). For 224 x 224 x 3 and 1000
    classes it has the 6,624,904 parameters of torchvision's ``googlenet(aux_logits=False)``.

    For images with a side below 64 pixels the stem has stride 1, no poolings, and first filters of
    3 x 3 instead of 7 x 7: the first block then sees 28 x 28 maps, as it does for 224 pixels.

    width: maps of the first convolution; all others are proportional.

    Raises UserError for smaller images and for inputs that are not images.

    Reference: Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich, "Going
    deeper with convolutions", CVPR 2015, table 1.
    Departs from it, as torchvision does: the third path has filters of 3 x 3 instead of 5 x 5;
    each convolution is followed by batch normalisation (eps 1e-3) instead of two local response
    normalisations; no auxiliary classifiers; dropout 0.2 instead of 0.4. The initial weights are
    PyTorch's; torchvision draws from a truncated N(0, 0.01^2).
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        width: int,
        activation: str,
        norm: str,
        pool: str,
        dropout: float,
    ) -> None:
        super().__init__()
        channels, *sides = image_shape("googlenet", input_shape, MIN_SIZE)

        def scaled(maps: int) -> int:
            return max(1, maps * width // 64)

        def convolution(inputs: int, maps: int, size: int, stride: int = 1) -> nn.Sequential:
            filters, bias = pieces(activation) * maps, norm == "none"
            layers = nn.Sequential(nn.Conv2d(inputs, filters, size, stride, size // 2, bias=bias))
            if norm != "none":
                normalisation: Any = norm_layer(norm, filters, images=True)
                normalisation.eps = 1e-3  # as in torchvision
                layers.append(normalisation)
            return layers.append(activation_layer(activation))

        def inceptions(
            inputs: int, table: tuple[tuple[int, ...], ...]
        ) -> tuple[nn.Sequential, int]:
            blocks = nn.Sequential()
            for row in table:
                block = Inception(inputs, tuple(map(scaled, row)), convolution, pool)
                blocks.append(block)
                inputs = block.outputs
            return blocks, inputs

        def halve(size: int) -> nn.Module:
            return pool_layer(pool, size, 2, ceil_mode=True)

        thin, wide = scaled(64), scaled(192)
        first, last = [convolution(channels, thin, 7, 2), halve(3)], [halve(3)]
        if is_small(*sides):
            first, last = [convolution(channels, thin, 3)], []
        self.stem = nn.Sequential(
            *first, convolution(thin, thin, 1), convolution(thin, wide, 3), *last
        )
        self.inception3, maps = inceptions(wide, INCEPTION3)
        self.inception4, maps = inceptions(maps, INCEPTION4)
        self.inception5, maps = inceptions(maps, INCEPTION5)
        self.pool3, self.pool4 = halve(3), halve(2)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.output = nn.Linear(maps, output_size)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stem(images)  # (N, 192, 28, 28) at 224 or 28 pixels
        maps = self.pool3(self.inception3(maps))  # (N, 480, 14, 14)
        maps = self.pool4(self.inception4(maps))  # (N, 832, 7, 7)
        maps = self.inception5(maps)  # (N, 1024, 7, 7)
        features = maps.mean((2, 3))  # (N, 1024)
        return self.output(self.dropout(features))  # (N, output_size)
