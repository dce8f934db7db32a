"""The VGG networks: deep stacks of 3 x 3 convolutions and 2 x 2 poolings."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from dlcourse.errors import UserError
from dlcourse.layer.activation import activation_layer, pieces
from dlcourse.layer.class_activation import class_activation_maps
from dlcourse.layer.grid import GridAverage
from dlcourse.layer.image import image_shape, is_small
from dlcourse.layer.norm import norm_layer
from dlcourse.layer.pool import PoolFirst, pool_layer

MIN_SIZE = 17  # the last block then sees 2 x 2


class VGG(nn.Module):
    """Classifies images with five blocks of convolutions and three linear layers.

    Input (N, C, H, W) with H and W at least 17, output (N, output_size). Each block ends with a
    pooling that halves the sides. For 224 x 224 x 3 and 1000 classes it has the parameters of
    torchvision's ``vgg11`` to ``vgg19``, under the same names (138,357,544 in VGG-16), and with
    ``norm=batch`` those of ``vgg11_bn`` to ``vgg19_bn``.

    For images with a side below 64 pixels the poolings round sizes up, so that five of them fit;
    the last maps are averaged to 1 x 1 instead of 7 x 7, and there are 512 hidden units instead of
    4096.

    convolutions: number of convolutions in each of the five blocks; [2, 2, 3, 3, 3] with the three
        linear layers are the 16 layers of VGG-16.
    width: maps of the first block; all other maps and the hidden units are proportional.
    head: ``dense``: three linear layers; ``average``: no last pooling, an average over each of the
        last maps (14 x 14 at 224 pixels), and one linear layer: 15,227,688 parameters in VGG-16
        for 1000 classes. The latter has no dropout, and class activation maps can show which
        regions a prediction depends on.

    Raises UserError for smaller images and for inputs that are not images.

    Reference: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image
    recognition", ICLR 2015, configurations A, B, D and E; the other head after Zhou, Khosla,
    Lapedriza, Oliva, Torralba, "Learning deep features for discriminative localization", CVPR 2016.
    Departs from it: the initial weights are PyTorch's; the paper initialised the deep networks with
    the weights of A, and torchvision draws the filters from N(0, 2 / fan_out).
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        convolutions: Sequence[int],
        width: int,
        head: str,
        activation: str,
        norm: str,
        pool: str,
        dropout: float,
    ) -> None:
        super().__init__()
        channels, *sides = image_shape(f"vgg{sum(convolutions) + 3}", input_shape, MIN_SIZE)
        small = is_small(*sides)
        grid, hidden = (1, 8 * width) if small or head == "average" else (7, 64 * width)

        each = pieces(activation)
        self.features = PoolFirst()
        inputs = channels
        for block, count in enumerate(convolutions):
            maps = width * min(2**block, 8)  # 64, 128, 256, 512, 512
            for _ in range(count):
                self.features.append(nn.Conv2d(inputs, each * maps, 3, padding=1))
                if norm != "none":
                    self.features.append(norm_layer(norm, each * maps, images=True))
                self.features.append(activation_layer(activation))
                inputs = maps
            if head == "dense" or block < len(convolutions) - 1:
                self.features.append(pool_layer(pool, 2, ceil_mode=small))

        def dense(units: int, outputs: int) -> list[nn.Module]:
            layers = [nn.Linear(units, each * outputs), activation_layer(activation)]
            return [*layers, nn.Dropout(dropout)] if dropout > 0 else layers

        self.average = GridAverage(grid)
        if head == "average":
            self.classifier = nn.Sequential(nn.Linear(inputs, output_size))
        else:
            self.classifier = nn.Sequential(
                *dense(inputs * grid**2, hidden),
                *dense(hidden, hidden),
                nn.Linear(hidden, output_size),
            )

    def class_activation_maps(self, images: Tensor) -> Tensor:
        """Return a map of the evidence for each class, (N, output_size, H', W').

        The mean of a class's map plus the class's bias is its output.

        Raises UserError for ``head=dense``, because its output is not an average of maps.
        """
        if len(self.classifier) > 1:
            raise UserError(
                "Class activation maps need a network that averages its last maps.\n"
                "Type model.head=average"
            )
        head = cast(nn.Linear, self.classifier[0])
        return class_activation_maps(self.features(images), head.weight)

    def forward(self, images: Tensor) -> Tensor:
        # (N, 512, 7, 7) at 224 pixels, (N, 512, 1, 1) at 32; or, without the last pooling,
        # (N, 512, 14, 14) and (N, 512, 2, 2)
        maps = self.features(images)
        maps = self.average(maps)  # (N, 512, 7, 7) or, for small images, (N, 512, 1, 1)
        return self.classifier(maps.flatten(1))  # (N, output_size)
