"""A residual network without normalisation."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.errors import UserError
from dlcourse.layer.activation import activation_layer, centred_gain
from dlcourse.layer.image import image_shape, is_small

MIN_SIZE = 8
MIN_VARIANCE = 1e-4  # filters are divided by the root of this variance at least


class NFNet(nn.Module):
    """Classifies images with residual blocks that keep the variance of signals without norms.

    Input (N, C, H, W) with H and W at least 8, output (N, output_size). Instead of normalising
    activations, the network standardises its filters, divides the input of each block by its
    expected standard deviation, and adds ``alpha`` times the block's output. The expected variance
    is 1 at the start of a stage and grows by alpha^2 with each block; the first block of a stage
    resets it. The stem reduces images of 64 pixels and more by a factor of 4.

    widths: maps of each stage; every stage but the first halves the sides.
    depth: blocks per stage. alpha: weight of a block's output. dropout: before the output layer.

    Raises UserError for smaller images, for inputs that are not images and for empty widths.

    Reference: Brock, De, Smith, "Characterizing signal propagation to close the performance gap in
    unnormalized ResNets", ICLR 2021; Brock, De, Smith, Simonyan, "High-performance large-scale
    image recognition without normalization", ICML 2021, which trains with ``clip=agc``.
    Departs from them: two 3 x 3 convolutions per block, no squeeze-and-excitation, no stochastic
    depth, no learned factor of a block's output, and strided shortcuts instead of pooled ones.
    """

    def __init__(
        self,
        input_shape: tuple[int, ...],
        output_size: int,
        *,
        widths: Sequence[int],
        depth: int,
        alpha: float,
        activation: str,
        dropout: float,
    ) -> None:
        super().__init__()
        channels, height, width = image_shape("nfnet", input_shape, MIN_SIZE)
        if not widths:
            raise UserError(
                "model=nfnet has a stage for each of its widths, got model.widths=[].\n"
                "Type model.widths=[32,64,128]"
            )
        gain = centred_gain(activation)
        self.stem = nn.Sequential()
        if is_small(height, width):
            self.stem.append(ScaledConv2d(channels, widths[0], 3))
        else:
            half = max(widths[0] // 2, 1)
            self.stem.append(ScaledConv2d(channels, half, 3, stride=2))
            self.stem.append(activation_layer(activation))
            self.stem.append(ScaledConv2d(half, widths[0], 3, stride=2, gain=gain))
        self.blocks = nn.Sequential()
        maps, variance = widths[0], 1.0
        for stage, wider in enumerate(widths):
            for position in range(depth):
                first = position == 0
                make = partial(NFBlock, beta=variance**0.5, alpha=alpha, activation=activation)
                stride = 2 if first and stage > 0 else 1
                self.blocks.append(make(maps, wider, stride=stride, transition=first, gain=gain))
                maps, variance = wider, (1.0 if first else variance) + alpha**2
        self.activation = activation_layer(activation)
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        self.output = nn.Linear(maps, output_size)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.activation(self.blocks(self.stem(images)))  # (N, widths[-1], H', W')
        return self.output(self.dropout(maps.mean((2, 3))))  # (N, output_size)


class NFBlock(nn.Module):
    """Maps h to h + alpha f(h / beta), where beta is the expected standard deviation of h.

    A transition replaces the first h by a 1 x 1 convolution of the activated h / beta, so that the
    variance is 1 again. Maps (N, C, H, W) to (N, outputs, H / stride, W / stride).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        stride: int,
        transition: bool,
        beta: float,
        alpha: float,
        activation: str,
        gain: float,
    ) -> None:
        super().__init__()
        self.beta, self.alpha = beta, alpha
        self.activation1 = activation_layer(activation)
        self.conv1 = ScaledConv2d(inputs, outputs, 3, stride=stride, gain=gain)
        self.activation2 = activation_layer(activation)
        self.conv2 = ScaledConv2d(outputs, outputs, 3, gain=gain)
        self.shortcut = (
            ScaledConv2d(inputs, outputs, 1, stride=stride, gain=gain) if transition else None
        )

    def forward(self, maps: Tensor) -> Tensor:
        signal = self.activation1(maps / self.beta)
        skip = maps if self.shortcut is None else self.shortcut(signal)
        branch = self.conv2(self.activation2(self.conv1(signal)))
        return skip + self.alpha * branch


class ScaledConv2d(nn.Conv2d):
    """Convolves with weights that are standardised to mean 0 and variance gain^2 / fan_in.

    gain: compensates for the activation before it. ``scale`` is a learned factor of each filter.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, *, stride: int = 1, gain: float = 1.0
    ) -> None:
        super().__init__(inputs, outputs, size, stride, padding=size // 2)
        assert self.bias is not None
        nn.init.zeros_(self.bias)
        self.gain = gain
        self.scale = nn.Parameter(torch.ones(outputs))

    def filters(self) -> Tensor:
        """Return the standardised weights (outputs, inputs, size, size)."""
        weight = self.weight
        variance, mean = torch.var_mean(weight, (1, 2, 3), correction=0, keepdim=True)
        shrink = (variance * weight[0].numel()).clamp(min=MIN_VARIANCE).rsqrt()
        return (weight - mean) * shrink * (self.gain * self.scale).view(-1, 1, 1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        return F.conv2d(maps, self.filters(), self.bias, self.stride, self.padding)
