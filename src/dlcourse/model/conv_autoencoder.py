"""The convolutional autoencoder."""

import math
from collections.abc import Sequence

from torch import Tensor, nn

from dlcourse.errors import UserError
from dlcourse.layer.activation import activation_layer, pieces
from dlcourse.layer.image import image_shape
from dlcourse.layer.norm import norm_layer

STRIDE = 2
SMALLEST_MAP = 2  # pixels per side; a norm over the pixels of a map needs several


class ConvAutoencoder(nn.Module):
    """Reconstructs images: strided convolutions down to a code, and the same sizes back up.

    Input (N, C, H, W), output (N, C H W): the reconstruction. Each convolution of the encoder
    divides height and width by 2, each layer of the decoder multiplies them by 2; every layer but
    the last is followed by norm and activation. All sizes are restored exactly, odd ones too.

    widths: number of maps after each layer of the encoder; the decoder has them in reverse.
    kernel: height and width of all filters. A transposed convolution writes each output pixel
        kernel / 2 times per side; where that is not a whole number, neighbouring pixels get
        different numbers of terms, which shows as a checkerboard pattern. With an even kernel the
        numbers are equal and the weights differ, so that a weaker pattern remains until it is
        unlearned.
    code: number of units of a linear layer in the middle; None: the last maps are the code.
    upsampling: ``transposed`` for transposed convolutions; ``resize`` for images enlarged by
        repeating pixels, followed by a convolution, which makes no checkerboard pattern.

    Raises UserError unless the targets are the inputs, and for images too small for the layers.

    Reference: Masci, Meier, Ciresan, Schmidhuber, "Stacked convolutional auto-encoders for
    hierarchical feature extraction", ICANN 2011. Sizes: Dumoulin, Visin, "A guide to convolution
    arithmetic for deep learning", arXiv 1603.07285, 2016. Patterns: Odena, Dumoulin, Olah,
    "Deconvolution and checkerboard artifacts", Distill 2016.
    Departs from it: strides in place of max pooling; trained as a whole, not layer by layer.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        widths: Sequence[int],
        kernel: int,
        code: int | None,
        activation: str,
        norm: str,
        upsampling: str,
    ) -> None:
        super().__init__()
        smallest = smallest_side(kernel, len(widths))
        channels, *sides = image_shape("conv_autoencoder", input_shape, smallest)
        refuse_other_targets(input_shape, output_size)
        sizes = halved_sizes(sides, kernel, len(widths))
        maps, each = [channels, *widths], pieces(activation)

        def after(outputs: int) -> list[nn.Module]:
            normed = [norm_layer(norm, each * outputs, images=True)] if norm != "none" else []
            return [*normed, activation_layer(activation)]

        def down(inputs: int, outputs: int) -> nn.Module:
            around = (kernel - 1) // 2
            return nn.Conv2d(inputs, each * outputs, kernel, stride=STRIDE, padding=around)

        make = enlarging_convolution if upsampling == "resize" else enlarging_transposed
        encoder, decoder = [], []
        for depth in range(len(widths)):
            encoder += [down(maps[depth], maps[depth + 1]), *after(maps[depth + 1])]
        for depth in reversed(range(len(widths))):
            last = depth == 0
            outputs = maps[depth] * (1 if last else each)
            decoder += make(maps[depth + 1], outputs, kernel, sizes[depth + 1], sizes[depth])
            decoder += [] if last else after(maps[depth])
        self.encoder = nn.Sequential(*encoder)
        if code is not None:
            values = maps[-1] * math.prod(sizes[-1])
            self.code = nn.Sequential(nn.Flatten(), nn.Linear(values, code))
            self.expand = nn.Sequential(
                nn.Linear(code, each * values),
                nn.Unflatten(1, (each * maps[-1], *sizes[-1])),
                activation_layer(activation),
            )
        else:
            self.code, self.expand = nn.Identity(), nn.Identity()
        self.decoder = nn.Sequential(*decoder)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.encoder(images)  # (N, 64, 7, 7) at 28 pixels
        code = self.code(maps)  # (N, code), or the maps
        return self.decoder(self.expand(code)).flatten(1)  # (N, C H W)


def refuse_other_targets(input_shape: tuple[int, ...], output_size: int) -> None:
    """Raise UserError unless there are as many targets as inputs."""
    values = math.prod(input_shape)
    if output_size != values:
        raise UserError(
            f"model=conv_autoencoder reconstructs its {values} inputs, but the targets are "
            f"{output_size} numbers.\nType data.reconstruct=true"
        )


def halved_sizes(sides: Sequence[int], kernel: int, layers: int) -> list[tuple[int, ...]]:
    """Return the sides of the images, and of the maps after each strided convolution."""
    around, sizes = (kernel - 1) // 2, [tuple(sides)]
    for _ in range(layers):
        sizes.append(tuple((side + 2 * around - kernel) // STRIDE + 1 for side in sizes[-1]))
    return sizes


def smallest_side(kernel: int, layers: int) -> int:
    """Return the smallest side of an image of which the last maps keep ``SMALLEST_MAP`` pixels."""
    side, around = SMALLEST_MAP, (kernel - 1) // 2
    for _ in range(layers):
        side = STRIDE * (side - 1) + kernel - 2 * around
    return side


def enlarging_transposed(
    inputs: int, outputs: int, kernel: int, size: tuple[int, ...], wanted: tuple[int, ...]
) -> list[nn.Module]:
    """Make a transposed convolution from maps of a size (height, width) to a wanted size.

    Without ``output_padding`` a side of n pixels becomes 2 (n - 1) + kernel - 2 padding; the rest,
    0 or 1, is what the convolution of the encoder has rounded off.
    """
    around = (kernel - 1) // 2
    rows, columns = (
        there - (STRIDE * (here - 1) + kernel - 2 * around)
        for here, there in zip(size, wanted, strict=True)
    )
    return [
        nn.ConvTranspose2d(
            inputs, outputs, kernel, stride=STRIDE, padding=around, output_padding=(rows, columns)
        )
    ]


def enlarging_convolution(
    inputs: int, outputs: int, kernel: int, size: tuple[int, ...], wanted: tuple[int, ...]
) -> list[nn.Module]:
    """Make an enlargement to a wanted size (height, width), and a convolution that keeps it."""
    before, after = (kernel - 1) // 2, kernel // 2  # pixels; not equal for an even kernel
    return [
        nn.Upsample(size=wanted),
        nn.ZeroPad2d((before, after, before, after)),
        nn.Conv2d(inputs, outputs, kernel),
    ]
