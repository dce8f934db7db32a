"""The residual networks for CIFAR-10, and the plain networks whose error grows with depth."""

from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.errors import UserError
from dlcourse.layer.activation import activation_layer
from dlcourse.layer.image import image_shape
from dlcourse.model.resnet import Block, convolution, two_layers

MIN_SIZE = 5  # the last stage then sees 2 x 2


class PaddedShortcut(nn.Module):
    """Takes every second pixel and appends C maps of zeros: (N, C, H, W) -> (N, 2 C, H / 2, W / 2).

    It has no parameters: option A of the paper.
    """

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps[:, :, ::2, ::2]  # (N, C, H / 2, W / 2), rounded up
        return F.pad(maps, (0, 0, 0, 0, 0, maps.shape[1]))  # (N, 2 C, H / 2, W / 2)


class ResNetCifar(nn.Module):
    """Classifies small images with 6 n + 2 layers: three stages of n residual blocks.

    Input (N, C, H, W) with H and W at least 5, output (N, output_size). The stages have 16, 32 and
    64 maps of 32 x 32, 16 x 16 and 8 x 8 pixels where the image has 32 x 32. For its 3 channels
    and 10 classes, 20, 32, 44, 56 and 110 layers have 0.27, 0.46, 0.66, 0.85 and 1.7 million
    parameters, with or without shortcuts. The stem is the same for all sizes of images.

    depth: the number of layers with weights, 6 n + 2.
    width: maps of the first stage; the others have twice and four times as many.
    skip: whether blocks have shortcuts; without them it is a plain network with the same weights.

    Raises UserError for another depth, for smaller images and for inputs that are not images.

    Reference: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016,
    section 4.2, with shortcuts of option A.
    Departs from it: the initial weights are PyTorch's; the paper's are ``init=he_normal``.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        depth: int,
        width: int,
        skip: bool,
        activation: str,
        norm: str,
    ) -> None:
        super().__init__()
        name = f"{'resnet' if skip else 'plain'}{depth}"
        channels, *_ = image_shape(name, input_shape, MIN_SIZE)
        blocks, rest = divmod(depth - 2, 6)
        if blocks < 1 or rest:
            nearest = 6 * max(1, round((depth - 2) / 6)) + 2
            raise UserError(
                f"{name} has 6 n + 2 layers, such as 20, 32, 44, 56, 110; got depth={depth}.\n"
                f"Type model.depth={nearest}"
            )

        self.stem = nn.Sequential(
            *convolution(channels, width, 3, 1, norm), activation_layer(activation)
        )
        self.stages = nn.Sequential()
        inputs = width
        for maps in (width, 2 * width, 4 * width):
            stage = nn.Sequential()
            for _ in range(blocks):
                stride = 1 if inputs == maps else 2
                layers = two_layers(inputs, maps, stride, activation, norm)
                shortcut = nn.Identity() if stride == 1 else PaddedShortcut()
                stage.append(Block(layers, shortcut if skip else None, activation))
                inputs = maps
            self.stages.append(stage)
        self.output = nn.Linear(inputs, output_size)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.stem(images)  # (N, 16, H, W)
        maps = self.stages(maps)  # (N, 64, H / 4, W / 4), rounded up
        features = maps.mean((2, 3))  # (N, 64)
        return self.output(features)  # (N, output_size)
