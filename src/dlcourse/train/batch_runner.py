"""Apply a step to each batch of a split and accumulate metrics."""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from dlcourse.core import Metric, Recipe, Split, State
from dlcourse.train.meter import Meter
from dlcourse.train.step import Step
from dlcourse.train.step_losses import StepLosses


class BatchRunner:
    """Applies a step to batches of a split and accumulates their metrics in ``meter``.

    step: see ``train.step.make_train_step`` and ``make_eval_step``.
    state: what the step trains; None for evaluation.
    keep: keep all outputs and targets as well.
    losses: stores the loss of every batch; None for never.
    done: the number of steps of the last epoch that were trained, set at its end.

    A batch is processed on the device and nothing is read back, so that the whole of it, from
    indexing to the metrics, can be one CUDA graph. The graph's function does not refer to the
    runner, so that the graph's memory is free as soon as the runner is.
    """

    def __init__(
        self,
        examples: Split,
        step: Step,
        metrics: Sequence[Metric],
        recipe: Recipe,
        state: State | None = None,
        keep: bool = False,
        losses: StepLosses | None = None,
    ) -> None:
        self.examples = examples
        self.meter = Meter(metrics, len(examples) if keep else 0, losses)
        self.pass_number = torch.zeros((), dtype=torch.int64, device=examples.device)
        eager = partial(process_batch, examples, step, self.meter, self.pass_number)
        self.process = recipe.graph(eager, state)
        self.done = 0
        self.entered = 0  # the pass over the examples

    def reset(self) -> None:
        """Set all sums to zero, in place: a CUDA graph adds to the same memory."""
        self.meter.reset()

    def enter_pass(self, number: int) -> None:
        """Set the number of the pass over the examples that the next batch belongs to, from 0."""
        if number != self.entered:
            self.entered = number
            self.pass_number.fill_(number)

    def run(self, index: Tensor, *prefetched: Tensor) -> None:
        """Process one batch of ``examples.prefetch``, as a CUDA graph where the recipe has them."""
        self.process(index, *prefetched)


def process_batch(
    examples: Split, step: Step, meter: Meter, number: Tensor, index: Tensor, *prefetched: Tensor
) -> None:
    """Fetch a batch, apply the step and add its outputs to the meter."""
    inputs, targets = examples.fetch(index, *prefetched)
    meter.add(*step(inputs, targets, index, number))
