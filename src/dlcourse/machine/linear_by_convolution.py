"""Linear layers computed as 1 x 1 convolutions."""

from torch import Tensor, nn
from torch.nn import functional as F


class LinearByConvolution(nn.Linear):
    """An ``nn.Linear`` that uses the CPU's convolution kernels; equal to it up to rounding.

    Maps (..., in_features) to (..., out_features). The rows are the pixels of one image, and the
    weights are 1 x 1 filters; in NHWC order nothing has to be copied. This is for processors on
    which the matrix product of MKL is slower.
    """

    def forward(self, inputs: Tensor) -> Tensor:
        rows = inputs.reshape(1, -1, 1, self.in_features)  # NHWC
        filters = self.weight[:, :, None, None]
        outputs = F.conv2d(rows.permute(0, 3, 1, 2), filters, self.bias)  # (1, out, rows, 1)
        return outputs.permute(0, 2, 3, 1).reshape(*inputs.shape[:-1], self.out_features)


def use_convolutions(model: nn.Module) -> None:
    """Make a model compute every ``nn.Linear`` as a convolution, in place; derived classes stay."""
    for layer in model.modules():
        if type(layer) is nn.Linear:
            layer.__class__ = LinearByConvolution
