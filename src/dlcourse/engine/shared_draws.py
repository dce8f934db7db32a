"""Find augmentations that draw random numbers once for a whole batch."""

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from dlcourse.core import Fold, Recipe
from dlcourse.schema.validate import OWN_TARGETS
from dlcourse.train.rng import restore_rng_states, rng_states

COPIES = 8  # of one example in the batch
CALLS = 8  # an augmentation that changes every second batch shows both results in 99 of 100 cases

log = logging.getLogger(__name__)


def warn_of_shared_draws(config: dict, fold: Fold, recipe: Recipe) -> None:
    """Log a warning for each augmentation of the user's own that draws once for each batch.

    The random numbers of the run are unchanged, and an error is left to the training step, which
    reports it.
    """
    chosen = zip(config["augment"].items(), recipe.augment, strict=False)  # weights come last
    own = [
        (name, augment)
        for (name, node), augment in chosen
        if not node["_target_"].startswith(OWN_TARGETS)
    ]
    if not own:
        return
    states = rng_states()
    try:
        place = torch.zeros(1, dtype=torch.int64, device=fold.train.device)
        ((inputs, targets),) = fold.train.batches([place])
        for name, augment in own:
            if draws_once(augment, inputs, targets):
                log.warning(
                    "augment=%s changes all examples of a batch alike: it draws its random numbers "
                    "once for each batch. Draw them for each example, for example by "
                    "torch.rand(len(inputs), device=inputs.device); a transform of torchvision "
                    "does so with augment=[torchvision]", name,
                )  # fmt: skip
    except Exception as error:  # the training step reports it
        log.debug("the augmentations were not checked: %s", error)
    finally:
        restore_rng_states(states)


@torch.no_grad()
def draws_once(augment: Callable, inputs: Tensor, targets: Tensor) -> bool:
    """Return whether copies of one example (1, ...) are always changed alike, and at random."""
    inputs = inputs.repeat(COPIES, *[1] * (inputs.dim() - 1))
    targets = targets.repeat(COPIES, *[1] * (targets.dim() - 1))
    index = torch.arange(COPIES, device=inputs.device)
    epoch = torch.zeros((), dtype=torch.int64, device=inputs.device)
    results = [augment(inputs.clone(), targets.clone(), index, epoch)[0] for _ in range(CALLS)]
    alike = all(torch.equal(result, result[:1].expand_as(result)) for result in results)
    return alike and not all(torch.equal(result, results[0]) for result in results)
