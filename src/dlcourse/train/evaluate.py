"""Evaluation: the loss and metrics of a model on a split."""

from collections.abc import Callable

import torch
from torch import nn

from dlcourse.core import Recipe, Split, Standardize
from dlcourse.distributed.collectives import own_part
from dlcourse.distributed.ranks import this_rank
from dlcourse.terminal.live_line import working
from dlcourse.train.batch_runner import BatchRunner
from dlcourse.train.meter import Meter
from dlcourse.train.step import make_eval_step

EVALUATION_BATCH = 512  # without gradients a batch may be larger than in training


def evaluate(
    model: nn.Module, examples: Split | None, standardize: Standardize, recipe: Recipe, split: str
) -> dict[str, float]:
    """Return the mean loss and all metrics of a split, named ``val/loss`` and so on.

    Without examples the result is empty.
    """
    if examples is None:
        return {}
    return evaluate_split(model, examples, standardize, recipe).read(split)


def evaluate_split(
    model: nn.Module,
    examples: Split,
    standardize: Standardize,
    recipe: Recipe,
    keep: bool = False,
    what: str = "testing",
) -> Meter:
    """Evaluate a model on a split; return the sums of the loss and all metrics.

    keep: keep all outputs and targets as well, for reports that do not follow from sums.
    what: the name of this work on the screen.
    """
    with working(what, len(examples)) as advance:
        runner = eval_runner(model, examples, standardize, recipe, keep)
        return run_evaluation(model, runner, advance)


def eval_runner(
    model: nn.Module, examples: Split, standardize: Standardize, recipe: Recipe, keep: bool = False
) -> BatchRunner:
    """Return a runner that evaluates a split; it can be used for every epoch."""
    step = make_eval_step(model, standardize, recipe)
    return BatchRunner(examples, step, recipe.metrics, recipe, keep=keep)


@torch.no_grad()
def run_evaluation(
    model: nn.Module, runner: BatchRunner, advance: Callable[[int], None] = lambda examples: None
) -> Meter:
    """Evaluate a model on all examples of a runner; return the runner's meter.

    Each rank evaluates its part of the examples.

    advance: is called with the number of examples of each batch.
    """
    model.eval()
    runner.reset()
    examples = runner.examples
    everything = own_part(torch.arange(len(examples), device=examples.device))
    for batch in examples.prefetch(everything.split(EVALUATION_BATCH) if len(everything) else ()):
        runner.run(*batch)
        advance(len(batch[0]) * this_rank().size)
    runner.meter.collect()
    return runner.meter
