"""Common parts of mixup and CutMix: partners, weights and mixed targets."""

import torch
from torch import Tensor
from torch.distributions import Beta
from torch.nn import functional as F

from dlcourse.core import has_float64


def partners(inputs: Tensor) -> Tensor:
    """Draw a permutation (N,): the position of the example that each one is mixed with."""
    return torch.randperm(len(inputs), device=inputs.device)


def shares(inputs: Tensor, alpha: float) -> Tensor:
    """Draw the weight (N,) of each example in its mixture from Beta(alpha, alpha), in [0, 1]."""
    device = inputs.device if has_float64(inputs.device) else torch.device("cpu")
    strength = torch.full((len(inputs),), alpha, dtype=torch.float64, device=device)
    return Beta(strength, strength, validate_args=False).sample().float().to(inputs.device)


def mixed(values: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """Return share * own values + (1 - share) * the partner's, as floats (N, ...); share: (N,)."""
    share = share.view(-1, *[1] * (values.dim() - 1))
    return torch.lerp(values[partner].float(), values.float(), share)


def soft(targets: Tensor, classes: int) -> Tensor:
    """Return classes (N,) as one-hot probabilities (N, classes); floats do not change."""
    return targets if targets.is_floating_point() else F.one_hot(targets, classes).float()
