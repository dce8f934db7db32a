"""What the curves of a finished run mean, in words: overfitting, nothing learned, train longer.

Each function returns one sentence, or an empty text where its finding does not hold. The limits are
wide: a sentence that is wrong costs more than one that is missing.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ACCURACY_GAP = 0.1  # between the accuracies of training and validation, for overfitting
LOW_ACCURACY = 0.7  # of the training part, below which a run that has settled underfits
SETTLED = 0.01  # change of an accuracy over the last fifth of a run that has settled
RISEN = 1.2  # validation loss of a regression over its minimum, for overfitting
TIMES = 2.0  # validation over training loss of a regression, for overfitting
JUMP = 1.1  # a rise of the training loss by this factor is a jump
JUMPS = 0.3  # share of epochs with a jump, for a learning rate that is too high
FALLEN = 0.05  # of the first epoch's loss: below it jumps do not matter
FEWEST_EPOCHS = 5  # epochs for a finding on the course of a curve


@dataclass(frozen=True)
class Facts:
    """What is known of a run besides its curves.

    largest_class: the share of the most frequent class among the examples that are validated, or
    trained on where there is no validation part; None for a regression. examples: their number.
    """

    largest_class: float | None
    examples: int
    monitor: str
    best_epoch: int
    ended_by: str


Curves = Sequence[Mapping[str, float]]
"""The metrics of each epoch: ``{"train/loss": ..., "val/accuracy": ..., "lr": ...}``."""


def history_findings(history: Curves, facts: Facts) -> list[str]:
    """Return everything that a run's curves say in words, the most important first."""
    nothing = nothing_learned(history, facts)
    found = [
        nothing,
        rate_too_high(history),
        overfitting(history, facts),
        "" if nothing else underfitting(history),
        loss_not_falling(history) if nothing or facts.largest_class is None else "",
        train_longer(history, facts),
    ]
    return [sentence for sentence in found if sentence]


def nothing_learned(history: Curves, facts: Facts) -> str:
    """Return whether the best accuracy is no better than naming the largest class always.

    Two standard errors above its share are still chance; with a few examples, so is everything.
    """
    share = facts.largest_class
    values = [
        record[name]
        for record in history
        for name in ("val/accuracy", "train/accuracy")
        if name in record
    ]
    if share is None or not values or not facts.examples:
        return ""
    chance = share + 2 * math.sqrt(share * (1 - share) / facts.examples)
    best = max(values)
    if best > chance or chance >= 1 or share >= 0.9:
        return ""
    return (
        f"nothing was learned: the best accuracy is {best:.2f}, and the largest class has "
        f"{share:.2f} of the examples"
    )


def overfitting(history: Curves, facts: Facts) -> str:
    """Return whether the last epoch fits the training part much better than the validation part.

    For classes the accuracies differ by at least 0.1 and four standard errors, and at least 80 % of
    the training part is right. For values the validation loss is twice the training loss, and has
    risen by 20 % from its minimum.
    """
    last = history[-1]
    if "val/loss" not in last or len(history) < 2:
        return ""
    if facts.largest_class is not None and {"train/accuracy", "val/accuracy"} <= set(last):
        train, val = last["train/accuracy"], last["val/accuracy"]
        error = math.sqrt(max(val * (1 - val), 0.0) / max(facts.examples, 1))
        if train >= 0.8 and train - val >= max(ACCURACY_GAP, 4 * error):
            return f"training accuracy {train:.2f}, validation {val:.2f}: overfitting"
        return ""
    lowest = min(history, key=lambda record: record["val/loss"])["val/loss"]
    train, val = last["train/loss"], last["val/loss"]
    if facts.largest_class is None and val > TIMES * train and val > RISEN * lowest > 0:
        return (
            f"training loss {train:.3g}, validation {val:.3g} after {lowest:.3g} at its best: "
            "overfitting"
        )
    return ""


def underfitting(history: Curves) -> str:
    """Return whether both accuracies are low, nearly equal, and rise no more."""
    names = ("train/accuracy", "val/accuracy")
    if len(history) < FEWEST_EPOCHS or not all(name in history[-1] for name in names):
        return ""
    train, val = (history[-1][name] for name in names)
    before = history[-1 - max(2, len(history) // 5)]["train/accuracy"]
    if (
        train < LOW_ACCURACY
        and abs(train - val) < ACCURACY_GAP / 2
        and abs(train - before) < SETTLED
    ):
        return (
            f"training accuracy {train:.2f}, validation {val:.2f}, and both rise no more: "
            "underfitting (try a larger model or another learning rate)"
        )
    return ""


def loss_not_falling(history: Curves) -> str:
    """Return whether the training loss of the last epoch is still that of the first one."""
    if len(history) < FEWEST_EPOCHS:
        return ""
    first, last = history[0]["train/loss"], history[-1]["train/loss"]
    if first > 0 and last >= 0.99 * first:
        return f"the training loss does not fall: {first:.4g} in epoch 1, {last:.4g} at the end"
    return ""


def rate_too_high(history: Curves) -> str:
    """Return whether the training loss jumps up again and again while it is still large."""
    losses = [record["train/loss"] for record in history]
    if len(losses) < FEWEST_EPOCHS or losses[0] <= 0:
        return ""
    later = losses[1:]
    jumps = sum(
        now > JUMP * before and now > FALLEN * losses[0]
        for before, now in zip(losses, later, strict=False)
    )
    if jumps >= 2 and jumps >= JUMPS * len(later) and later[-1] > FALLEN * losses[0]:
        return (
            f"the training loss rose by more than 10 % in {jumps} of {len(later)} epochs: the "
            "learning rate is too high"
        )
    return ""


def train_longer(history: Curves, facts: Facts) -> str:
    """Return whether the last epoch is the best one of a run that ``max_epochs`` has ended.

    Not after a schedule that has reduced the learning rate to a tenth: it was to end there.
    """
    rates = [record["lr"] for record in history if "lr" in record]
    reduced = bool(rates) and rates[-1] < 0.1 * max(rates)
    if (
        facts.ended_by == "max_epochs"
        and len(history) >= FEWEST_EPOCHS
        and facts.best_epoch == len(history)
        and not reduced
    ):
        return (
            f"the best epoch is the last one of {len(history)}: more epochs may be better "
            f"(max_epochs={2 * len(history)})"
        )
    return ""
