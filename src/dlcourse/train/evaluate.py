"""What a model is worth on examples that it does not learn from."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dlcourse.core import Recipe, Split, Standardize, at_least_float32
from dlcourse.terminal.live_line import working
from dlcourse.train.batch_runner import Round
from dlcourse.train.meter import Meter

EVALUATION_BATCH = 512  # without gradients there is room for more than a training batch


def evaluate(
    model: nn.Module, examples: Split | None, standardize: Standardize, recipe: Recipe, split: str
) -> dict[str, float]:
    """Return the mean loss and all metrics over a split, named ``val/loss`` and so on.

    Without examples there are no figures: the result is empty.
    """
    return {} if examples is None else measure(model, examples, standardize, recipe).read(split)


def measure(
    model: nn.Module,
    examples: Split,
    standardize: Standardize,
    recipe: Recipe,
    keep: bool = False,
    what: str = "testing",
) -> Meter:
    """Return the sums of the loss and all metrics over a split, the model as it is when in use.

    The loss is without label smoothing, mixed examples and penalties, so that it can be compared.
    keep: gather all outputs and targets as well, for what cannot be told from sums. what: this is
    called on the screen.
    """
    with working(what, len(examples)) as advance:
        return look_over(model, looking(model, examples, standardize, recipe, keep), advance)


def looking(
    model: nn.Module, examples: Split, standardize: Standardize, recipe: Recipe, keep: bool = False
) -> Round:
    """Return what an evaluation does with each batch; it can be used again and again."""

    def look(inputs: Tensor, targets: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with recipe.autocast():
            outputs = recipe.ask(model, standardize(inputs))
            return outputs, targets, recipe.plain_loss(at_least_float32(outputs), targets)

    return Round(examples, look, recipe.metrics, recipe, keep=keep)


@torch.no_grad()
def look_over(
    model: nn.Module, validation: Round, advance: Callable[[int], None] = lambda examples: None
) -> Meter:
    """Put a model to use on all examples of a round; return the round's sums.

    advance: is given the number of examples of each batch.
    """
    model.eval()
    validation.begin(0)
    examples = validation.examples
    everything = torch.arange(len(examples), device=examples.device)
    for batch in examples.ahead(everything.split(EVALUATION_BATCH)):
        validation.take(*batch)
        advance(len(batch[0]))
    return validation.meter
