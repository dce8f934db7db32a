"""The engine ``products``: as ``stacked``, but a convolution is a product of matrices."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.together.stacked import Stacked


class ConvolutionByProduct(nn.Conv2d):
    """An ``nn.Conv2d`` that multiplies all windows by the filters; equal to it up to rounding.

    The windows of an image (N, C, H, W) are the rows (N H' W', C kh kw) of a matrix. For several
    models it is a batched product of matrices, where a convolution becomes a grouped one.

    Reference: Chellapilla, Puri, Simard, "High performance convolutional neural networks for
    document processing", 2006.
    """

    def forward(self, input: Tensor) -> Tensor:
        (rows, columns), (down, right) = self.kernel_size, self.stride
        top, left = cast(tuple[int, int], self.padding)
        padded = F.pad(input, (left, left, top, top)) if top or left else input
        windows = padded.unfold(2, rows, down).unfold(3, columns, right)  # (N, C, H', W', kh, kw)
        count, _, high, wide = windows.shape[:4]
        flat = windows.permute(0, 2, 3, 1, 4, 5).reshape(count * high * wide, -1)
        found = flat @ self.weight.flatten(1).t()  # (N H' W', out)
        if self.bias is not None:
            found = found + self.bias
        return found.view(count, high, wide, -1).permute(0, 3, 1, 2).contiguous()


class Products(Stacked):
    """Trains lanes on stacked weights, with convolutions as batched products of matrices."""

    name = "products"

    def prepared(self, skeleton: nn.Module) -> nn.Module:
        for layer in skeleton.modules():
            if is_plain_convolution(layer):
                layer.__class__ = ConvolutionByProduct
        return skeleton


def is_plain_convolution(layer: nn.Module) -> bool:
    """Return whether a layer is a convolution that ``ConvolutionByProduct`` can compute."""
    return (
        type(layer) is nn.Conv2d
        and layer.groups == 1
        and layer.dilation == (1, 1)
        and layer.padding_mode == "zeros"
        and not isinstance(layer.padding, str)
    )
