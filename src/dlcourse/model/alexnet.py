"""AlexNet, the winner of the ImageNet challenge of 2012."""

from torch import Tensor, nn

from dlcourse.layer.activation import activation_layer, pieces
from dlcourse.layer.grid import GridAverage
from dlcourse.layer.image import image_shape, is_small
from dlcourse.layer.norm import norm_layer
from dlcourse.layer.pool import PoolFirst, pool_layer

MIN_SIZE = 15  # the last pooling then sees 3 x 3


class AlexNet(nn.Module):
    """Classifies images with five convolutions, three poolings and three linear layers.

    Input (N, C, H, W) with H and W at least 15, output (N, output_size). 61,100,840 parameters
    for 224 x 224 x 3 and 1000 classes: those of torchvision's ``alexnet``, under the same names.

    For images with a side below 64 pixels the first layer has 5 x 5 filters with stride 1 instead
    of 11 x 11 with stride 4, the last maps are averaged to 1 x 1 instead of 6 x 6, and there are
    512 hidden units instead of 4096.

    width: maps of the first convolution; all other maps and the hidden units are proportional.

    Raises UserError for smaller images and for inputs that are not images.

    Reference: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional
    neural networks", NeurIPS 2012, in the form of Krizhevsky, "One weird trick for parallelizing
    convolutional neural networks", 2014 (64-192-384-256-256 maps, one tower).
    Departs from it: no local response normalisation, and PyTorch's initial weights; the paper's
    are ``init=normal init.std=0.01``, with biases of 1 in layers 2, 4, 5 and the hidden ones.
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
        channels, *sides = image_shape("alexnet", input_shape, MIN_SIZE)
        small = is_small(*sides)
        size, stride, grid, hidden = (5, 1, 1, 8 * width) if small else (11, 4, 6, 64 * width)

        each = pieces(activation)

        def convolution(inputs: int, maps: int, size: int, stride: int = 1) -> list[nn.Module]:
            padding = 2 if size > 3 else 1
            layers: list[nn.Module] = [nn.Conv2d(inputs, each * maps, size, stride, padding)]
            if norm != "none":
                layers.append(norm_layer(norm, each * maps, images=True))
            return [*layers, activation_layer(activation)]

        def drop() -> list[nn.Module]:
            return [nn.Dropout(dropout)] if dropout > 0 else []

        self.features = PoolFirst(
            *convolution(channels, width, size, stride),
            pool_layer(pool, 3, 2),
            *convolution(width, 3 * width, 5),
            pool_layer(pool, 3, 2),
            *convolution(3 * width, 6 * width, 3),
            *convolution(6 * width, 4 * width, 3),
            *convolution(4 * width, 4 * width, 3),
            pool_layer(pool, 3, 2),
        )
        self.average = GridAverage(grid)
        self.classifier = nn.Sequential(
            *drop(),
            nn.Linear(4 * width * grid**2, each * hidden),
            activation_layer(activation),
            *drop(),
            nn.Linear(hidden, each * hidden),
            activation_layer(activation),
            nn.Linear(hidden, output_size),
        )

    def forward(self, images: Tensor) -> Tensor:
        maps = self.features(images)  # (N, 256, 6, 6) at 224 pixels, (N, 256, 3, 3) at 32
        maps = self.average(maps)  # (N, 256, 6, 6) or, for small images, (N, 256, 1, 1)
        return self.classifier(maps.flatten(1))  # (N, output_size)
