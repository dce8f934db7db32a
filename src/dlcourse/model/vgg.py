"""The VGG networks: nothing but 3 x 3 convolutions and 2 x 2 poolings, and many of them."""

from collections.abc import Sequence

from torch import Tensor, nn

from dlcourse.layer.activation import activation_layer, pieces
from dlcourse.layer.grid import GridAverage
from dlcourse.layer.norm import norm_layer
from dlcourse.layer.picture import is_small, picture_shape
from dlcourse.layer.pool import PoolFirst, pool_layer

MIN_SIZE = 17  # the last block then sees 2 x 2


class VGG(nn.Module):
    """Classifies pictures with five blocks of convolutions and three linear layers.

    Input (N, C, H, W) with H and W at least 17, output (N, output_size). Each block ends with a
    pooling that halves the sides. For 224 x 224 x 3 and 1000 classes it has the parameters of
    torchvision's ``vgg11`` to ``vgg19``, under the same names (138,357,544 in VGG-16), and with
    ``norm=batch`` those of ``vgg11_bn`` to ``vgg19_bn``.

    Pictures with a side below 64 pixels: poolings also take windows that stick out at the border,
    so that five of them fit; the classifier gets an average over the last maps in place of a grid
    of 7 x 7, and 512 hidden units in place of 4096.

    convolutions: how many in each of the five blocks; [2, 2, 3, 3, 3] and 3 linear layers are 16.
    width: maps of the first block; those of all others and the hidden units grow with it.

    Raises UserError for smaller pictures and for inputs that are no pictures.

    Reference: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015, configurations A, B, D and E.
    Departs from it: PyTorch's initial weights; the paper began the deep nets with the weights of
    A, and torchvision draws the filters from N(0, 2 / fan_out).
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        convolutions: Sequence[int],
        width: int,
        activation: str,
        norm: str,
        pool: str,
        dropout: float,
    ) -> None:
        super().__init__()
        channels, *sides = picture_shape(f"vgg{sum(convolutions) + 3}", input_shape, MIN_SIZE)
        small = is_small(*sides)
        grid, hidden = (1, 8 * width) if small else (7, 64 * width)

        each = pieces(activation)
        self.features = PoolFirst()
        inputs = channels
        for block, count in enumerate(convolutions):
            maps = width * min(2**block, 8)  # 64, 128, 256, 512, 512
            for _ in range(count):
                self.features.append(nn.Conv2d(inputs, each * maps, 3, padding=1))
                if norm != "none":
                    self.features.append(norm_layer(norm, each * maps, pictures=True))
                self.features.append(activation_layer(activation))
                inputs = maps
            self.features.append(pool_layer(pool, 2, ceil_mode=small))

        def dense(units: int, outputs: int) -> list[nn.Module]:
            layers = [nn.Linear(units, each * outputs), activation_layer(activation)]
            return [*layers, nn.Dropout(dropout)] if dropout > 0 else layers

        self.average = GridAverage(grid)
        self.classifier = nn.Sequential(
            *dense(inputs * grid**2, hidden),
            *dense(hidden, hidden),
            nn.Linear(hidden, output_size),
        )

    def forward(self, pictures: Tensor) -> Tensor:
        maps = self.features(pictures)  # (N, 512, 7, 7) at 224 pixels, (N, 512, 1, 1) at 32
        maps = self.average(maps)  # (N, 512, 7, 7) or, for small pictures, (N, 512, 1, 1)
        return self.classifier(maps.flatten(1))  # (N, output_size)
