"""The message of a training that has diverged: where, what is kept, likely causes, what to type."""

import logging

import torch

from dlcourse.core import Fold, Recipe, State
from dlcourse.errors import DivergedError
from dlcourse.guard import guarded

log = logging.getLogger(__name__)

RANGE_SAMPLE = 1000  # examples whose range a message names
HUGE = 1000.0  # of standardised inputs, whose usual range is about -5 to 5
ROLLBACKS = "train/rollbacks"
"""The metric of an epoch that counts its returns to its start."""


def diverged(
    state: State, fold: Fold, recipe: Recipe, what: str, *, step: int = 0, kind: str = "",
    first: str = "",
) -> DivergedError:  # fmt: skip
    """Return the error of a training that has diverged in the epoch after those of its history.

    what: was not finite. step: from 1; 0 if it is not known. kind: as in ``NonFiniteStep``.
    first: advice to put before the usual one.
    """
    group = state.optimizer.param_groups[0]
    epoch, done = len(state.history) + 1, len(state.history)
    where = "" if fold.name == "." else f" of {fold.name}"
    at = f", step {step}" if step else ""
    kept = f"The checkpoint of epoch {done} is kept" if done else "There is no checkpoint yet"
    untrained = epoch == 1 and step == 1
    clips = recipe.nonfinite.clips
    smaller = f"a smaller optim.lr, for example optim.lr={group['initial_lr'] / 10:g}"
    advice = smaller if clips else f"{smaller}, or clip=norm"
    typed = "debug=anomaly, which" if untrained else f"{advice}; debug=anomaly"
    causes = likely_causes(fold, kind, untrained, float(group["lr"]), clips, state)
    return DivergedError(
        f"Training diverged in epoch {epoch}{at}{where}, at a learning rate of "
        f"{float(group['lr']):g}: {what}.\n{kept}; nothing of epoch {epoch} is saved.\n"
        f"Likely causes: {'; '.join(causes)}.\n"
        f"Type {first}{typed} finds the layer"
    )


def likely_causes(
    fold: Fold, kind: str, untrained: bool, rate: float, clips: bool, state: State
) -> list[str]:
    """Return what may have led to a number that is not finite, the most likely first.

    untrained: before the first update. clips: whether gradients are clipped.
    """
    largest = largest_input(fold)
    huge = not largest <= HUGE
    causes = [f"inputs as large as {largest:.3g}, after data.standardize"] if huge else []
    by_rate = [f"the learning rate of {rate:g} is too large"]
    if not clips:
        by_rate.append("large gradients without clipping")
    of_kind = {
        "loss": ["the logarithm of 0, or a division by 0, in the model or the loss"],
        "gradient": ["a derivative that is infinite, as of a root or a norm at 0"],
    }.get(kind, [])
    if untrained:
        by_rate = []
    causes += [*of_kind, *by_rate] if kind == "gradient" else [*by_rate, *of_kind]
    if state.scaler.is_enabled():
        causes.append("numbers above 65,504, the largest of fp16")
    return causes or ["the initial weights, or the first batch"]


def largest_input(fold: Fold) -> float:
    """Return the largest magnitude among the first standardised inputs of a fold's training data.

    0 if they cannot be read.
    """
    largest = 0.0
    with guarded("Reading the range of the inputs"):
        count = min(RANGE_SAMPLE, len(fold.train))
        index = torch.arange(count, device=fold.train.device)
        for inputs, _ in fold.train.batches([index]):
            values = fold.standardize(inputs)
            largest = float(values.abs().max()) if values.numel() else 0.0
    return largest


def rollbacks(state: State) -> int:
    """Return how often a run has gone back to an epoch's start, in all epochs."""
    earlier = sum(record.metrics.get(ROLLBACKS, 0.0) for record in state.history)
    return int(earlier) + state.faults.rollbacks


def rate_factor(state: State, recipe: Recipe) -> float:
    """Return the factor of all learning rates: a function of the number of rollbacks."""
    return recipe.nonfinite.factor ** rollbacks(state)


def may_go_back(state: State, fold: Fold, recipe: Recipe, error: DivergedError) -> bool:
    """Count a return to the last epoch and print one line; False if there were enough.

    The state is that of the end of the last epoch already.
    """
    most = recipe.nonfinite.max_rollbacks
    if rollbacks(state) >= most:
        return False
    state.faults.rollbacks += 1
    done = len(state.history)
    log.warning(
        "%s\nRollback %d of %d: training goes back to %s%s, with all learning rates times %g",
        str(error).split("\n")[0], rollbacks(state), most,
        f"the end of epoch {done}" if done else "its start",
        "" if fold.name == "." else f" of {fold.name}", rate_factor(state, recipe),
    )  # fmt: skip
    return True


def ended_after_rollbacks(state: State, recipe: Recipe, error: DivergedError) -> DivergedError:
    """Return the error of a run that ends, with the number of its rollbacks."""
    count = rollbacks(state)
    if not count:
        return error
    text = (
        f"{error}\nIt has gone back to its last epoch {count} time{'s' * (count > 1)} before, with "
        f"all learning rates times {rate_factor(state, recipe):g} in the end"
    )
    more = DivergedError(text)
    more.only_val = error.only_val
    return more


def say_skipped(state: State, fold: Fold, steps: int) -> None:
    """Print one line if steps of an epoch were left out; steps: of the epoch."""
    skipped = state.faults.skipped
    if skipped:
        log.warning(
            "Epoch %d%s: %d of %d steps left out, because a loss or a gradient was not finite",
            len(state.history) + 1, "" if fold.name == "." else f" of {fold.name}", skipped, steps,
        )  # fmt: skip
