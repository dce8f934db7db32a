"""Initial filters that whiten patches of the training images."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcourse.errors import UserError
from dlcourse.init.default import default
from dlcourse.init.dirac import dirac

REST = {"default": default, "dirac": dirac}


@torch.no_grad()
def whitening(
    model: nn.Module,
    *,
    inputs: Callable[[int], Iterable[Tensor]],
    examples: int,
    eps: float,
    rest: str,
) -> None:
    """Set the first convolution's filters to the scaled principal components of training patches.

    With the eigenvectors v and eigenvalues l of the second moments of all patches (nearly their
    covariance, because the inputs are standardised), the largest first, the filters are
    v / sqrt(l + eps), then their negatives: their outputs are uncorrelated with a variance of about
    1. Both signs are needed because activations suppress one of them. If there are more components
    than half of the filters, the smallest are left out; if there are fewer, the remaining filters
    keep the weights of ``rest``. The bias is zero. The filters can be trained; with
    ``optim.freeze=[<name of the layer>.weight]`` they stay fixed.

    inputs: see ``dlcourse.init``; called with ``examples``.
    examples: the number of training images to use. eps: added to the eigenvalues.
    rest: the initializer of all other layers, ``default`` or ``dirac``.

    Raises UserError for a model without a convolution, or with a first one that is grouped or
    dilated.

    Reference: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv 2404.00498, 2024,
    section 3.2, after Page, "How to train your ResNet 8: bag of tricks", 2019.
    """
    REST[rest](model)
    layer = next((one for one in model.modules() if isinstance(one, nn.Conv2d)), None)
    if layer is None or layer.groups > 1 or layer.dilation != (1, 1):
        raise UserError(
            "init=whitening needs a model that starts with a plain convolution.\n"
            "Type model=airbench, model=lenet or model=convnet, or another init"
        )
    values, vectors = torch.linalg.eigh(second_moments(inputs(examples), layer.kernel_size))
    filters = (vectors / (values.clamp(min=0) + eps).sqrt()).flip(1).T  # largest first
    count = min(len(filters), layer.out_channels // 2)
    filters = filters[:count].view(count, *layer.weight.shape[1:])  # (n, C, kh, kw)
    layer.weight[: 2 * count] = torch.cat([filters, -filters]).to(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def second_moments(images: Iterable[Tensor], size: tuple[int, ...]) -> Tensor:
    """Return the mean of x x' in float64 over all patches x of ``size`` in images (n, C, H, W)."""
    total, count = torch.zeros((), dtype=torch.float64), 0
    for some in images:
        patches = F.unfold(some, size)  # (n, C kh kw, places)
        total = total + torch.einsum("nip,njp->ij", patches, patches).double()
        count += len(some) * patches.shape[2]
    return total / count
