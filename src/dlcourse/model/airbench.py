"""airbench, the small network of the speed records on CIFAR-10."""

from collections.abc import Sequence

from torch import Tensor, nn

from dlcourse.errors import UserError
from dlcourse.layer.activation import activation_layer
from dlcourse.layer.image import image_shape
from dlcourse.layer.norm import batch_norm
from dlcourse.layer.pool import pool_layer

PATCH = 2  # side of the first filters


class Group(nn.Module):
    """Applies convolutions with norms; a max pooling after the first halves the sides.

    Maps (N, C, H, W) to (N, width, H / 2, W / 2), rounded down. All convolutions are 3 x 3 and
    keep the size; a norm and an activation follow each.

    depth: the number of convolutions. residual: adds the output of the first convolution's
        activation before the last activation, if depth is 2 or more.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        *,
        depth: int,
        residual: bool,
        activation: str,
        norm: dict,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels if first else width, width, 3, padding=1, bias=False)
            for first in [True] + [False] * (depth - 1)
        )
        self.norms = nn.ModuleList(batch_norm(width, **norm) for _ in range(depth))
        self.pool = pool_layer("max", 2)
        self.activation = activation_layer(activation)

    def forward(self, maps: Tensor) -> Tensor:
        maps = self.norms[0](self.pool(self.convolutions[0](maps)))  # (N, width, H / 2, W / 2)
        maps = shortcut = self.activation(maps)
        last = len(self.norms) - 1
        for number in range(1, len(self.norms)):
            maps = self.norms[number](self.convolutions[number](maps))
            maps = self.activation(maps + shortcut if self.residual and number == last else maps)
        return maps


class AirBench(nn.Module):
    """Classifies small images with a whitening layer and three groups of 3 x 3 convolutions.

    Input (N, C, H, W) with H and W at least 9, output (N, output_size). The first layer has 2 x 2
    filters, two for each value of a patch, 24 for RGB images; ``init=whitening`` is made for it.
    32 x 32 images become 31, 15, 7 and 3 pixels wide, and 1 after the last pooling. With the widths
    64, 256, 256 the network has 1,972,792 parameters for 3 channels and 10 classes, including the
    norms' weights, which are fixed at 1.

    widths: maps of each group; every group halves the sides of the image.
    depth: convolutions per group. residual: see ``Group``.
    scale: factor of the outputs.
    norm_momentum: weight of a new batch in the norms' running statistics. norm_eps: added to the
        variance. norm_weight: whether norms learn a factor, or only a shift.

    Raises UserError without a group, for smaller images and for inputs that are not images.

    Reference: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv 2404.00498, 2024,
    section 3.1; ``widths=[128,512,512] depth=3 residual=true`` is the net for 96 %, with the
    last activation after the sum as in its author's later code.
    Departs from it: the last maps of images of other sizes are pooled over their whole area.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        widths: Sequence[int],
        depth: int,
        residual: bool,
        scale: float,
        activation: str,
        norm_momentum: float,
        norm_eps: float,
        norm_weight: bool,
    ) -> None:
        super().__init__()
        if not widths:
            raise UserError(
                "model=airbench needs a group of convolutions.\nType model.widths=[64,256,256]"
            )
        channels, *_ = image_shape("airbench", input_shape, PATCH - 1 + 2 ** len(widths))
        norm = {"momentum": norm_momentum, "eps": norm_eps, "weight": norm_weight}
        filters = 2 * channels * PATCH**2
        self.whitening = nn.Conv2d(channels, filters, PATCH)
        self.activation = activation_layer(activation)
        self.groups = nn.Sequential()
        for inputs, width in zip([filters, *widths[:-1]], widths, strict=True):
            self.groups.append(
                Group(
                    inputs, width, depth=depth, residual=residual, activation=activation, norm=norm
                )
            )
        self.output = nn.Linear(widths[-1], output_size, bias=False)
        self.scale = scale

    def forward(self, images: Tensor) -> Tensor:
        maps = self.activation(self.whitening(images))  # (N, 24, H - 1, W - 1)
        maps = self.groups(maps)  # (N, 256, 3, 3) at 32 pixels
        # not amax: it divides its gradient by the number of equal maxima, and a compiled model that
        # recomputes them in another precision finds none: 0 / 0
        features = maps.flatten(2).max(2).values  # (N, 256)
        return self.output(features) * self.scale  # (N, output_size)
