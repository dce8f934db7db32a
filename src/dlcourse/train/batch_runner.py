"""One round over a split, batch by batch."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from dlcourse.core import Metric, Recipe, Split, State
from dlcourse.train.meter import Meter


class Round:
    """What is done with every batch of a split, and the sums of what comes of it.

    do: (inputs, targets, index, epoch) -> outputs (N, K), targets and the mean loss; inputs and
        targets are as they lie in the split, at the positions ``index`` (N,); ``epoch`` is a number
        on their device, from 0.
    state: what ``do`` trains; None where it only looks.

    ``take`` takes in one batch of ``examples.ahead``. All of it happens on the device and nothing
    is read back, so that it can be captured as a whole.
    """

    def __init__(
        self,
        examples: Split,
        do: Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor, Tensor]],
        metrics: Sequence[Metric],
        recipe: Recipe,
        state: State | None = None,
        keep: bool = False,
    ) -> None:
        self.examples, self.do = examples, do
        self.meter = Meter(metrics, keep)
        self.epoch = torch.zeros((), dtype=torch.int64, device=examples.device)
        self.take = self.take_now if keep else recipe.capture(self.take_now, state)

    def begin(self, epoch: int) -> None:
        """Let the sums begin anew; where they lie stays, for a captured step goes on using them."""
        self.epoch.fill_(epoch)
        self.meter.clear()

    def take_now(self, index: Tensor, *read: Tensor) -> None:
        """Fetch a batch, do what is to be done and add up what came of it."""
        inputs, targets = self.examples.fetch(index, *read)
        self.meter.add(*self.do(inputs, targets, index, self.epoch))
