"""A small modern convolutional network: 3 x 3 filters, batch normalisation and dropout."""

from torch import Tensor, nn

from dlcourse.layer.activation import activation_layer, pieces
from dlcourse.layer.image import image_shape
from dlcourse.layer.norm import norm_layer
from dlcourse.layer.pool import PoolFirst, pool_layer

MIN_SIZE = 6  # the pooling then sees 2 x 2


class ConvNet(nn.Module):
    """Classifies images with two convolutions, one pooling and two linear layers.

    Input (N, C, H, W) with H and W at least 6 (without padding, and with dilation d, 4 d + 2),
    output (N, output_size). Convolutions of 32 and 64 maps without padding take 28 pixels to 26 and
    24, the pooling to 12: 12 x 12 x 64 = 9,216 features, then 128 hidden units. Each layer but the
    last is followed by norm and activation.

    dilation: distance in pixels between the inputs of neighbouring filter weights; a filter then
        covers 2 dilation + 1 pixels per side with the same number of weights.
    padding: ``valid`` for none, or ``same`` to keep the size of the maps.
    dropout, hidden_dropout: probabilities after the pooling and after the hidden units.

    With ``norm=instance`` the hidden units have no norm, because they are no images.

    Raises UserError for smaller images and for inputs that are not images.

    Reference: the MNIST example of Keras (Chollet and others, 2015, ``mnist_cnn.py``), with the
    batch normalisation of Ioffe, Szegedy, "Batch normalization", ICML 2015. Dilation: Yu, Koltun,
    "Multi-scale context aggregation by dilated convolutions", ICLR 2016.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        dilation: int,
        padding: str,
        activation: str,
        norm: str,
        pool: str,
        dropout: float,
        hidden_dropout: float,
    ) -> None:
        super().__init__()
        lost = 4 * dilation if padding == "valid" else 0  # pixels per side, by both convolutions
        channels, *sides = image_shape("convnet", input_shape, max(MIN_SIZE, lost + 2))
        rows, columns = ((side - lost) // 2 for side in sides)

        each = pieces(activation)

        def after(outputs: int, *, images: bool) -> list[nn.Module]:
            absent = norm == "none" or (norm == "instance" and not images)
            layers = [] if absent else [norm_layer(norm, each * outputs, images=images)]
            return [*layers, activation_layer(activation)]

        def convolution(inputs: int, maps: int) -> nn.Module:
            around = dilation if padding == "same" else 0
            return nn.Conv2d(inputs, each * maps, 3, padding=around, dilation=dilation)

        def drop(probability: float) -> list[nn.Module]:
            return [nn.Dropout(probability)] if probability > 0 else []

        self.features = PoolFirst(
            convolution(channels, 32),
            *after(32, images=True),
            convolution(32, 64),
            *after(64, images=True),
            pool_layer(pool, 2),
            *drop(dropout),
        )
        self.hidden = nn.Sequential(
            nn.Linear(64 * rows * columns, each * 128),
            *after(128, images=False),
            *drop(hidden_dropout),
        )
        self.output = nn.Linear(128, output_size)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.features(images)  # (N, 64, 12, 12) at 28 pixels
        units = self.hidden(maps.flatten(1))  # (N, 128)
        return self.output(units)  # (N, output_size)
