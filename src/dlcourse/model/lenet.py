"""LeNet-5, the convolutional network of the first MNIST benchmarks."""

from torch import Tensor, nn

from dlcourse.layer.activation import activation_layer, pieces
from dlcourse.layer.image import image_shape
from dlcourse.layer.norm import norm_layer
from dlcourse.layer.pool import PoolFirst, pool_layer

MIN_SIZE = 28


class LeNet5(nn.Module):
    """Classifies images with two convolutions, two poolings and three linear layers.

    Input (N, C, H, W) with H and W at least 28, output (N, output_size). Images below 32 pixels
    are padded by 2 in the first convolution, as the paper pads MNIST. 61,706 parameters for one
    channel of 28 x 28 or 32 x 32 and ten classes.

    Raises UserError for smaller images and for inputs that are not images.

    Reference: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
    recognition", Proc. IEEE 86(11), 1998, section II.B.
    Departs from it: every C3 map sees all six S2 maps, pooling has no weights, and the output is
    linear with cross-entropy instead of radial basis units. The default activation and
    pooling are ReLU and max; the paper's are ``activation=tanh pool=average``.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        activation: str,
        pool: str,
        norm: str,
        dropout: float,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape("lenet", input_shape, MIN_SIZE)
        padding = 2 if min(height, width) < 32 else 0
        rows, columns = (((size + 2 * padding - 4) // 2 - 4) // 2 for size in (height, width))

        each = pieces(activation)

        def block(inputs: int, maps: int, padding: int) -> list[nn.Module]:
            layers: list[nn.Module] = [nn.Conv2d(inputs, each * maps, 5, padding=padding)]
            if norm != "none":
                layers.append(norm_layer(norm, each * maps, images=True))
            return [*layers, activation_layer(activation), pool_layer(pool, 2)]

        def dense(inputs: int, units: int) -> list[nn.Module]:
            layers = [nn.Dropout(dropout)] if dropout > 0 else []
            return [*layers, nn.Linear(inputs, units)]

        self.features = PoolFirst(*block(channels, 6, padding), *block(6, 16, 0))
        self.classifier = nn.Sequential(
            *dense(16 * rows * columns, each * 120),
            activation_layer(activation),
            *dense(120, each * 84),
            activation_layer(activation),
            *dense(84, output_size),
        )

    def forward(self, images: Tensor) -> Tensor:
        maps = self.features(images)  # (N, 16, 5, 5) at 28 or 32 pixels
        return self.classifier(maps.flatten(1))  # (N, output_size)
