"""One round over a split, batch by batch."""

from collections.abc import Callable, Sequence

from torch import Tensor

from dlcourse.core import Metric, Recipe, Split, State
from dlcourse.train.meter import Meter


class Round:
    """What is done with every batch of a split, and the sums of what comes of it.

    do: inputs and targets as they lie in the split -> outputs (N, K), targets and the mean loss.
    state: what ``do`` trains; None where it only looks.

    ``take`` takes in one batch of ``examples.ahead``. All of it happens on the device and nothing
    is read back, so that it can be captured as a whole.
    """

    def __init__(
        self,
        examples: Split,
        do: Callable[[Tensor, Tensor], tuple[Tensor, Tensor, Tensor]],
        metrics: Sequence[Metric],
        recipe: Recipe,
        state: State | None = None,
        keep: bool = False,
    ) -> None:
        self.examples, self.do = examples, do
        self.meter = Meter(metrics, keep)
        self.take = self.take_now if keep else recipe.capture(self.take_now, state)

    def take_now(self, *batch: Tensor) -> None:
        """Fetch a batch, do what is to be done and add up what came of it."""
        self.meter.add(*self.do(*self.examples.fetch(*batch)))
