"""A model's outputs, averaged over views."""

from collections.abc import Callable, Sequence
from typing import cast

from torch import Tensor, nn

from dlcourse.core import at_least_float32


def from_views(
    views: Sequence[Callable[[Tensor], list[tuple[float, Tensor]]]],
    prepare: Callable[[Tensor], Tensor],
) -> Callable[[nn.Module, Tensor], Tensor]:
    """Return a function (model, inputs) -> weighted mean of the outputs (N, K) over all views.

    Views are composed, and their weights are multiplied. Without views the model is applied to the
    inputs.

    prepare: converts inputs to the model's memory format.
    """
    if not views:
        return lambda model, inputs: model(prepare(inputs))

    def predict(model: nn.Module, images: Tensor) -> Tensor:
        seen = [(1.0, images)]
        for view in views:
            seen = [(a * b, after) for a, before in seen for b, after in view(before)]
        outputs = (weight * at_least_float32(model(prepare(some))) for weight, some in seen)
        return cast(Tensor, sum(outputs))

    return predict
