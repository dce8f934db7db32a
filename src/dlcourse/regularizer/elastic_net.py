"""The elastic net."""

from torch import Tensor, nn

from dlcourse.regularizer.penalized import penalized, total


def elastic_net(model: nn.Module, *, strength: float, ratio: float, all_parameters: bool) -> Tensor:
    """Return strength (ratio sum |w| + (1 - ratio) / 2 sum w^2).

    It is ``l2`` for ratio 0 and ``l1`` for ratio 1; strength and ratio are ``alpha`` and
    ``l1_ratio`` in scikit-learn.

    all_parameters: see ``penalized``.

    Reference: Zou, Hastie, "Regularization and variable selection via the elastic net", J. R. Stat.
    Soc. B 67, 2005.
    """
    return strength * total(
        ratio * weight.abs().sum() + (1 - ratio) / 2 * weight.square().sum()
        for weight in penalized(model, all_parameters)
    )
