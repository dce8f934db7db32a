"""Least squares and ridge regression in closed form."""

from typing import Any, cast

import torch
from torch import Tensor, nn

from dlcourse.core import Recipe, State, at_least_float32, has_float64
from dlcourse.errors import UserError


class ClosedForm(torch.optim.Optimizer):
    """Sets a model's last layer to the minimum of ||X W + b - T||^2 + ridge ||W||^2.

    X (N, M) are the model's ``features`` of the whole training part, W and b the weights of its
    linear ``output`` layer, T (N, K) the targets, one-hot vectors for classes. The bias is not
    penalised. With ridge 0 this is least squares, the maximum likelihood solution for Gaussian
    noise. Training ends after one epoch, because a second step would find the same weights.

    ridge: at least 0.

    Reference: Legendre, "Nouvelles methodes pour la determination des orbites des cometes", 1805;
    Hoerl, Kennard, "Ridge regression", Technometrics 12, 1970.
    """

    arrives_after = 1  # epochs, for any max_epochs

    def __init__(self, groups: list[dict], *, ridge: float) -> None:
        super().__init__(groups, {"lr": 1.0})  # every optimizer has a learning rate
        self.ridge = ridge

    @staticmethod
    @torch.no_grad()
    def training_step(
        state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        """Solve for the last layer; return its outputs (N, K) and their mean loss.

        Penalties, clipping and the learning rate are not used.

        Raises UserError for a model that is not a linear layer on features.
        """
        layer = output_layer(state.model)
        model: Any = state.model
        features = model.features(inputs)
        if features.shape != (len(inputs), layer.in_features):
            raise unfit(state.model)
        if targets.dim() == 1:
            targets = nn.functional.one_hot(targets, layer.out_features)  # (N, K)
        ridge = cast(ClosedForm, state.optimizer).ridge
        weight, bias = solve(features, targets, ridge, layer.bias is not None)
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
    U'T; computing X'X would square the condition number. Singular values below the rounding error
    of the features are dropped: if features are linearly dependent, or outnumber the examples, the
    result is the solution of minimum norm.
    """
    rounding = max(torch.finfo(features.dtype).eps, max(features.shape) * 2.0**-52)
    if not has_float64(features.device):
        features, targets = features.cpu(), targets.cpu()
    features, targets = features.double(), targets.double()
    mean_features, mean_targets = features.mean(0), targets.mean(0)
    if not bias:
        mean_features, mean_targets = mean_features * 0, mean_targets * 0
    count = features.shape[1]
    if not count:  # the model is a constant
        return targets.new_empty(targets.shape[1], 0), mean_targets
    both = torch.cat([features - mean_features, targets - mean_targets], 1)  # (N, M + K)
    triangle = torch.linalg.qr(both, mode="r").R  # an equivalent problem of at most M + K rows
    u, s, vt = torch.linalg.svd(triangle[:, :count], full_matrices=False)
    factors = torch.where(s > rounding * s.max(), s / (s.square() + ridge), 0.0)
    weight = vt.T @ (factors[:, None] * (u.T @ triangle[:, count:]))  # (M, K)
    return weight.T, mean_targets - mean_features @ weight


def output_layer(model: nn.Module) -> nn.Linear:
    """Return the linear layer on a model's features; raises UserError if there is none."""
    layer = getattr(model, "output", None)
    if not callable(getattr(model, "features", None)) or not isinstance(layer, nn.Linear):
        raise unfit(model)
    return layer


def unfit(model: nn.Module) -> UserError:
    """Return the error for a model without a closed-form solution."""
    return UserError(
        "optim=closed_form solves for one linear layer, output, on top of features(inputs) of "
        f"shape (N, M); {type(model).__name__} has another structure.\n"
        "Type model=linear, model=polynomial or model=kernel, or optim=adam for this model"
    )
