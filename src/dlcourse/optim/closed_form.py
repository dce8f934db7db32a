"""Least squares and ridge regression, solved instead of descended."""

import torch
from torch import Tensor, nn

from dlcourse.core import Recipe, State, at_least_float32, has_float64
from dlcourse.errors import UserError


class ClosedForm(torch.optim.Optimizer):
    """Sets a model's last layer to the minimum of ||X W + b - T||^2 + ridge ||W||^2.

    X (N, M) are the model's ``features`` of the whole training part, W and b its linear ``output``
    layer, T (N, K) the targets; classes are taken as one-hot vectors. The bias is not penalised.
    With ridge 0 it is least squares: the maximum of the likelihood under Gaussian noise. A second
    step would find the same weights, so that training ends after one epoch.

    Reference: Legendre, "Nouvelles methodes pour la determination des orbites des cometes", 1805;
    Hoerl, Kennard, "Ridge regression", Technometrics 12, 1970.
    """

    arrives_after = 1  # epochs, whatever max_epochs says

    def __init__(self, groups: list[dict], *, ridge: float) -> None:
        super().__init__(groups, {"lr": 1.0})  # a rate, because every optimizer has one
        self.ridge = ridge

    @staticmethod
    @torch.no_grad()
    def training_step(
        state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        """Solve for the last layer; return its outputs (N, K) and their mean loss.

        Penalties, clipping and learning rates have no part in it.

        Raises UserError for a model that is not a linear layer on features.
        """
        layer = output_layer(state.model)
        features = state.model.features(inputs)
        if features.shape != (len(inputs), layer.in_features):
            raise unfit(state.model)
        if targets.dim() == 1:
            targets = nn.functional.one_hot(targets, layer.out_features)  # (N, K)
        weight, bias = solve(features, targets, state.optimizer.ridge, layer.bias is not None)
        layer.weight.copy_(weight)
        if layer.bias is not None:
            layer.bias.copy_(bias)
        for constrain in recipe.constraints:
            constrain(state.model)
        with recipe.autocast():
            outputs = state.model(inputs)
            return outputs, recipe.loss(at_least_float32(outputs), targets)


def solve(features: Tensor, targets: Tensor, ridge: float, bias: bool) -> tuple[Tensor, Tensor]:
    """Return the weights (K, M) and biases (K,) for features (N, M) and targets (N, K), in float64.

    With centred features X = U S V', the solution (ridge I + X'X)^-1 X'T is V S (S^2 + ridge)^-1
    U'T; forming X'X itself would square the condition number. Singular values below the rounding
    error of the features are left out: where features depend on each other, or outnumber the
    examples, the solution is the one of least norm.
    """
    rounding = max(torch.finfo(features.dtype).eps, max(features.shape) * 2.0**-52)
    if not has_float64(features.device):
        features, targets = features.cpu(), targets.cpu()
    features, targets = features.double(), targets.double()
    mean_features, mean_targets = features.mean(0), targets.mean(0)
    if not bias:
        mean_features, mean_targets = mean_features * 0, mean_targets * 0
    count = features.shape[1]
    if not count:  # a constant alone
        return targets.new_empty(targets.shape[1], 0), mean_targets
    both = torch.cat([features - mean_features, targets - mean_targets], 1)  # (N, M + K)
    triangle = torch.linalg.qr(both, mode="r").R  # the same problem in at most M + K rows
    u, s, vt = torch.linalg.svd(triangle[:, :count], full_matrices=False)
    factors = torch.where(s > rounding * s.max(), s / (s.square() + ridge), 0.0)
    weight = vt.T @ (factors[:, None] * (u.T @ triangle[:, count:]))  # (M, K)
    return weight.T, mean_targets - mean_features @ weight


def output_layer(model: nn.Module) -> nn.Linear:
    """Return the linear layer behind a model's features; raise UserError where there is none."""
    layer = getattr(model, "output", None)
    if not callable(getattr(model, "features", None)) or not isinstance(layer, nn.Linear):
        raise unfit(model)
    return layer


def unfit(model: nn.Module) -> UserError:
    """Say that a model's minimum has no closed form."""
    return UserError(
        "optim=closed_form solves for one linear layer, output, on top of features(inputs) of "
        f"shape (N, M), and {type(model).__name__} is not made of these.\n"
        "Type model=linear, model=polynomial or model=kernel, or optim=adam for this model"
    )
