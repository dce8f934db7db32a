"""What mixup and cutmix share: partners, shares and mixed targets."""

import torch
from torch import Tensor
from torch.distributions import Beta
from torch.nn import functional as F

from dlcourse.core import has_float64


def partners(inputs: Tensor) -> Tensor:
    """Return for each example (N,) the position of the one it is mixed with, in a random order."""
    return torch.randperm(len(inputs), device=inputs.device)


def shares(inputs: Tensor, alpha: float) -> Tensor:
    """Return how much of each example stays: numbers (N,) in [0, 1] from Beta(alpha, alpha)."""
    device = inputs.device if has_float64(inputs.device) else torch.device("cpu")
    strength = torch.full((len(inputs),), alpha, dtype=torch.float64, device=device)
    return Beta(strength, strength, validate_args=False).sample().float().to(inputs.device)


def mixed(values: Tensor, partner: Tensor, share: Tensor) -> Tensor:
    """Return floats (N, ...): ``share`` (N,) of each example's values, the rest the partner's."""
    share = share.view(-1, *[1] * (values.dim() - 1))
    return torch.lerp(values[partner].float(), values.float(), share)


def soft(targets: Tensor, classes: int) -> Tensor:
    """Return classes (N,) as probabilities (N, classes); those of a regression stay values."""
    return targets if targets.is_floating_point() else F.one_hot(targets, classes).float()
