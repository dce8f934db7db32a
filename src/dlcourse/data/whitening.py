"""ZCA whitening of the inputs."""

import torch

from dlcourse.core import Split, Whiten, has_float64
from dlcourse.data.image import CHUNK
from dlcourse.errors import UserError
from dlcourse.schema.facts import MOST_WHITENED

NEGLIGIBLE = 1e-10  # share of the largest eigenvalue: smaller ones are rounding errors


def whiten(train: Split, epsilon: float, dtype: torch.dtype = torch.float32) -> Whiten:
    """Compute the map after which the inputs of a training part have the identity as covariance.

    With the covariance's eigenvectors U and eigenvalues l it is (x - mean) U diag(1 / sqrt(l + e))
    U': of all decorrelating maps the one that changes the inputs least (zero-phase component
    analysis, ZCA), so that images still look like images. Features (N, D) are first scaled to
    variance 1, because their units differ; the pixels of images (N, C, H, W) are not.

    epsilon: e is epsilon times the mean eigenvalue. A larger value amplifies directions of small
        variance less; directions without any variance become 0.
    dtype: of the map; it is computed in float64.

    Raises UserError for more than MOST_WHITENED inputs.

    Reference: Bell, Sejnowski, "The 'independent components' of natural scenes are edge filters",
    Vision Research 37, 1997; Krizhevsky, "Learning multiple layers of features from tiny images",
    2009, appendix A; Kessy, Lewin, Strimmer, "Optimal whitening and decorrelation", The American
    Statistician 72, 2018.
    """
    shape = train.inputs.shape[1:]
    if shape.numel() > MOST_WHITENED:
        raise UserError(
            f"data.standardize=zca decorrelates at most {MOST_WHITENED:,} inputs, and an example "
            f"has {shape.numel():,}.\nType data.standardize=pixel, or a smaller data.size"
        )
    mean, covariance = moments(train)
    std = torch.ones_like(mean)
    if len(shape) == 1:
        std = covariance.diagonal().clamp(min=0).sqrt()
        std = torch.where(std > 1e-6 * (mean.abs() + 1e-6), std, torch.inf)  # constant inputs
        covariance = covariance / (std[:, None] * std)
    values, vectors = torch.linalg.eigh(covariance.cpu())
    factors = (values + epsilon * values.mean()).rsqrt()
    factors = torch.where(values > NEGLIGIBLE * values[-1], factors, 0.0)
    matrix = (vectors * factors) @ vectors.T / std.cpu()[:, None]  # (D, D)
    kept = torch.float64 if train.inputs.dtype == torch.float64 else dtype
    mean, matrix = mean.to(kept).view(shape), matrix.to(dtype)
    return Whiten(mean.to(train.device), matrix.to(train.device))


def moments(train: Split) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean (D,) and the covariance (D, D) of a part's inputs, in float64, in one pass.

    Deviations are taken from the first chunk's mean, so that no digits cancel.
    """
    count = train.inputs.shape[1:].numel()
    device = train.device if has_float64(train.device) else torch.device("cpu")
    shift = total = torch.zeros(count, dtype=torch.float64, device=device)
    products = torch.zeros(count, count, dtype=torch.float64, device=device)
    pieces = torch.arange(len(train), device=train.device).split(CHUNK)
    for number, (chunk, _) in enumerate(train.batches(pieces)):
        numbers = chunk.to(device).flatten(1).double()  # (n, D)
        if number == 0:
            shift = numbers.mean(0)
        numbers = numbers - shift
        total = total + numbers.sum(0)
        products.addmm_(numbers.T, numbers)
    offset = total / len(train)
    return shift + offset, products / len(train) - offset[:, None] * offset
