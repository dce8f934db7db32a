"""A first layer that whitens patches of the training images."""

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
    """Make the first convolution's filters the scaled principal directions of training patches.

    For the eigenvectors v of the second moments of all patches (the patches are standardised, so
    it is nearly their covariance) with eigenvalues l, the largest first, the filters are
    v / sqrt(l + eps), then their negatives: answers of about unit variance that are uncorrelated.
    Both signs are there because an activation cuts one off. Directions beyond half of the filters
    are left out, filters beyond twice the directions keep what ``rest`` drew, and the bias is zero.
    They may learn; ``optim.freeze=[<name of the layer>.weight]`` keeps them.

    inputs: yields so many standardised training images, some (n, C, H, W) at a time.
    examples: how many of them are looked at. eps: added to the eigenvalues.
    rest: what draws all other layers, ``default`` or ``dirac``.

    Raises UserError for a model without a convolution, or whose first one is grouped or dilated.

    Reference: Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", arXiv 2404.00498, 2024,
    section 3.2, after Page, "How to train your ResNet 8: bag of tricks", 2019.
    """
    REST[rest](model)
    layer = next((one for one in model.modules() if isinstance(one, nn.Conv2d)), None)
    if layer is None or layer.groups > 1 or layer.dilation != (1, 1):
        raise UserError(
            "init=whitening needs a model that begins with a plain convolution.\n"
            "Type model=airbench, model=lenet or model=convnet, or another init"
        )
    values, vectors = torch.linalg.eigh(second_moments(inputs(examples), layer.kernel_size))
    filters = (vectors / (values.clamp(min=0) + eps).sqrt()).flip(1).T  # the largest first
    count = min(len(filters), layer.out_channels // 2)
    filters = filters[:count].view(count, *layer.weight.shape[1:])  # (n, C, kh, kw)
    layer.weight[: 2 * count] = torch.cat([filters, -filters]).to(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def second_moments(images: Iterable[Tensor], size: tuple[int, int]) -> Tensor:
    """Return the mean of x x' over all patches x of a size in images (n, C, H, W), as float64."""
    total, count = 0.0, 0
    for some in images:
        patches = F.unfold(some, size)  # (n, C kh kw, places)
        total = total + torch.einsum("nip,njp->ij", patches, patches).double()
        count += len(some) * patches.shape[2]
    return total / count
