"""The LeNet of Caffe's MNIST example, larger than LeNet-5 and used in papers on pruning."""

from torch import Tensor, nn

from dlcourse.layer.activation import activation_layer, pieces
from dlcourse.layer.image import image_shape
from dlcourse.layer.norm import norm_layer
from dlcourse.layer.pool import PoolFirst, pool_layer

MIN_SIZE = 16  # the last pooling then sees 2 x 2


class LeNetCaffe(nn.Module):
    """Classifies images with two convolutions, two poolings and two linear layers.

    Input (N, C, H, W) with H and W at least 16, output (N, output_size). 20 and 50 maps of 5 x 5
    filters; 800 features at 28 x 28; 431,080 parameters for one channel of 28 x 28 and ten
    classes.

    conv_activation: whether the convolutions are followed by the activation too. In Caffe's file
        they are not: only the 500 hidden units have an activation, and the only non-linearity of
        the convolutional part is max pooling.

    Raises UserError for smaller images and for inputs that are not images.

    Reference: Jia, Shelhamer, Donahue, Karayev, Long, Girshick, Guadarrama, Darrell, "Caffe:
    convolutional architecture for fast feature embedding", ACM Multimedia 2014, and its file
    ``examples/mnist/lenet.prototxt``.
    Departs from it: an activation follows each convolution, unless ``conv_activation=false``; the
    initial weights are PyTorch's, Caffe's are ``init=lecun_uniform``.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        activation: str,
        conv_activation: bool,
        norm: str,
        pool: str,
        dropout: float,
    ) -> None:
        super().__init__()
        channels, *sides = image_shape("lenet_caffe", input_shape, MIN_SIZE)
        rows, columns = (((side - 4) // 2 - 4) // 2 for side in sides)

        each = pieces(activation)

        def block(inputs: int, maps: int) -> list[nn.Module]:
            filters = each * maps if conv_activation else maps
            layers: list[nn.Module] = [nn.Conv2d(inputs, filters, 5)]
            if norm != "none":
                layers.append(norm_layer(norm, filters, images=True))
            if conv_activation:
                layers.append(activation_layer(activation))
            return [*layers, pool_layer(pool, 2)]

        self.features = PoolFirst(*block(channels, 20), *block(20, 50))
        self.hidden = nn.Sequential(
            nn.Linear(50 * rows * columns, each * 500), activation_layer(activation)
        )
        if dropout > 0:
            self.hidden.append(nn.Dropout(dropout))
        self.output = nn.Linear(500, output_size)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.features(images)  # (N, 50, 4, 4) at 28 pixels
        units = self.hidden(maps.flatten(1))  # (N, 500)
        return self.output(units)  # (N, output_size)
