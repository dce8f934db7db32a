"""Checkpoints: the state of training in one file, and the best weights in another."""

from pathlib import Path

from torch import nn

from dlcourse import atomic_files
from dlcourse.core import (
    Fold,
    Impute,
    Observer,
    Recipe,
    Record,
    Standardize,
    State,
    Whiten,
    best_epoch,
)
from dlcourse.distributed.ranks import is_first
from dlcourse.errors import UserError
from dlcourse.schema.run_files import BEST_WEIGHTS, CHECKPOINTS, LAST_CHECKPOINT
from dlcourse.train.finite import infinite_buffers, refuse_infinite
from dlcourse.train.midway import Every


class Checkpoint(Observer):
    """Writes ``last.pt``, to resume from, after every epoch, and ``best.pt`` after a best epoch.

    The best weights are written first: a run that is killed between the two files is resumed one
    epoch earlier, and writes the same best weights again.

    In a run on several devices every rank has this observer, and rank 0 writes.

    every: the interval of writing ``last.pt`` within an epoch; None for never.
    """

    def __init__(self, folder: Path, every: Every | None = None) -> None:
        self.folder = folder
        self.every = every
        self.due = every and every.due

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        (self.folder / CHECKPOINTS).mkdir(exist_ok=True)
        self.recipe, self.fold = recipe, fold

    def epoch(self, state: State) -> None:
        epoch = state.history[-1].epoch
        if best_epoch(state.history, self.recipe.monitor, self.recipe.mode) == epoch and is_first():
            best = {
                "model": state.averaged.state_dict(),
                "epoch": epoch,
                "whitened": isinstance(self.fold.standardize, Whiten),
                **self.fold.standardize.tensors(),
            }
            atomic_files.save_checked(self.folder / BEST_WEIGHTS, best)
        self.save(state)

    def midway(self, state: State) -> None:
        self.save(state)

    def save(self, state: State) -> None:
        """Write ``last.pt``."""
        if is_first():
            atomic_files.save_checked(self.folder / LAST_CHECKPOINT, pack(state))
        if self.every is not None:
            self.every.restart()


def pack(state: State) -> dict:
    """Return the state as tensors, numbers, strings, lists and dicts of them."""
    return {
        "model": state.model.state_dict(),
        "averaged": state.averaged.state_dict(),  # the same tensors are stored once
        "optimizer": state.optimizer.state_dict(),
        "scaler": state.scaler.state_dict(),
        "history": [[record.epoch, record.metrics] for record in state.history],
        "seconds": state.seconds,
        "midway": state.midway,
    }


def has_checkpoint(folder: Path) -> bool:
    """Return whether a run's folder has a checkpoint to resume from."""
    return (folder / LAST_CHECKPOINT).exists()


def restore(state: State, folder: Path) -> State:
    """Load the last checkpoint of a run's folder into a new state.

    Without a checkpoint the state stays new: starting and resuming are the same code.
    Raises UserError for a damaged checkpoint and for one of another model.
    """
    if not has_checkpoint(folder):
        return state
    path = folder / LAST_CHECKPOINT
    content = read_checkpoint(path)
    try:
        state.model.load_state_dict(content["model"])
        state.averaged.load_state_dict(content["averaged"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.scaler.load_state_dict(content["scaler"])
        state.history = history_in(content)
        spent = sum(record.metrics["seconds"] for record in state.history)
        state.seconds = content.get("seconds", spent)  # older checkpoints have no such key
        state.midway = content.get("midway")
    except (KeyError, RuntimeError, ValueError) as error:
        raise _misfit(path, error) from error
    return state


def history_in(content: dict) -> list[Record]:
    """Return the history in a checkpoint's content."""
    return [Record(epoch, metrics) for epoch, metrics in content["history"]]


def history_of(folder: Path) -> list[Record]:
    """Return the history in a run's folder; empty before its first checkpoint."""
    return history_in(read_checkpoint(folder / LAST_CHECKPOINT)) if has_checkpoint(folder) else []


def read_best(model: nn.Module, folder: Path) -> tuple[int, Standardize]:
    """Put the best epoch's weights into the model; return that epoch and its standardisation.

    Raises UserError for a damaged file, one of another model, and weights that are not finite.
    """
    path = folder / BEST_WEIGHTS
    content = read_checkpoint(path)
    masks = infinite_buffers(model)
    try:
        model.load_state_dict(content["model"])
        found = content["epoch"], stored_map(content)
    except (KeyError, RuntimeError) as error:
        raise _misfit(path, error) from error
    refuse_infinite(model, masks, path)
    return found


def stored_map(content: dict) -> Standardize:
    """Return the standardisation in the content of ``best.pt``."""
    mean, scale = content["mean"], content["scale"]
    if "fill" in content:
        return Impute(mean, scale, content["fill"])
    return (Whiten if content.get("whitened") else Standardize)(mean, scale)


def read_checkpoint(path: Path) -> dict:
    """Read a checkpoint; raises UserError if it is missing or damaged."""
    try:
        return atomic_files.load_checked(path)
    except FileNotFoundError as error:
        raise UserError(f"The checkpoint {path} does not exist; train first.") from error
    except atomic_files.DamagedFileError as error:
        raise UserError(
            f"{error}.\nThe run cannot be resumed from it: delete the file to restart this run (or "
            "this fold)"
        ) from error


def _misfit(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:300]
    return UserError(f"{path} does not fit this model and optimizer: {reason}")
