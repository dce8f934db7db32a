"""The elastic net."""

from torch import Tensor, nn

from dlcourse.regularizer.penalized import penalized


def elastic_net(model: nn.Module, *, strength: float, ratio: float, all_parameters: bool) -> Tensor:
    """Return strength (ratio sum |w| + (1 - ratio) / 2 sum w^2), between ``l2`` (0) and ``l1`` (1).

    Strength and ratio are scikit-learn's ``alpha`` and ``l1_ratio``.

    Reference: Zou, Hastie, "Regularization and variable selection via the elastic net", J. R. Stat.
    Soc. B 67, 2005.
    """
    return strength * sum(
        ratio * weight.abs().sum() + (1 - ratio) / 2 * weight.square().sum()
        for weight in penalized(model, all_parameters)
    )
