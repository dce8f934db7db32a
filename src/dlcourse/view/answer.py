"""A model's answer, from one view or several."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from dlcourse.core import at_least_float32


def from_views(
    views: Sequence[Callable[[Tensor], list[tuple[float, Tensor]]]],
    prepare: Callable[[Tensor], Tensor],
) -> Callable[[nn.Module, Tensor], Tensor]:
    """Return how a model is asked: the weighted mean of its outputs (N, K) over all views.

    Views follow one another, and their weights multiply: mirror images of two shifts weigh half as
    much as the shifts. Without views the model gets the inputs themselves.

    prepare: brings inputs into the model's memory order.
    """
    if not views:
        return lambda model, inputs: model(prepare(inputs))

    def ask(model: nn.Module, images: Tensor) -> Tensor:
        seen = [(1.0, images)]
        for view in views:
            seen = [(a * b, after) for a, before in seen for b, after in view(before)]
        return sum(weight * at_least_float32(model(prepare(some))) for weight, some in seen)

    return ask
