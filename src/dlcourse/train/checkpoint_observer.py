"""Write the checkpoints of a run while it is trained."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dlcourse import atomic_files
from dlcourse.core import Fold, Observer, Recipe, State, Whiten, best_epoch
from dlcourse.distributed.ranks import is_first
from dlcourse.errors import UserError
from dlcourse.schema.run_files import (
    BEST_WEIGHTS,
    CHECKPOINTS,
    LAST_CHECKPOINT,
    PREVIOUS_CHECKPOINT,
)
from dlcourse.train.checkpoint import (
    WRONG_CONTENT,
    has_checkpoint,
    history_in,
    pack,
    read_last,
)
from dlcourse.train.midway import Every

log = logging.getLogger(__name__)


class Checkpoint(Observer):
    """Writes ``last.pt``, to resume from, after every epoch, and ``best.pt`` after a best epoch.

    The ``last.pt`` before it stays as ``previous.pt``. ``best.pt`` is written after ``last.pt``: a
    run that is killed between the two has the best weights in ``last.pt``, from which ``start``
    makes ``best.pt``. In later epochs ``last.pt`` names the digest of ``best.pt``.

    In a run on several devices every rank has this observer, and rank 0 writes.

    every: the interval of writing ``last.pt`` within an epoch; None for never.
    origin: what the run was started with, numbers and texts by name; stored in ``last.pt``.
    """

    def __init__(
        self, folder: Path, every: Every | None = None, origin: Mapping[str, Any] | None = None
    ) -> None:
        self.folder = folder
        self.every = every
        self.due = every and every.due
        self.origin = dict(origin or {})
        self.best: dict[str, Any] = {}  # the epoch and the digest of best.pt
        self.keeps_last = True  # as previous.pt

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        (self.folder / CHECKPOINTS).mkdir(exist_ok=True)
        self.recipe, self.fold = recipe, fold
        if is_first() and state.history and has_checkpoint(self.folder):
            self.keeps_last = is_undamaged(self.folder / LAST_CHECKPOINT)
            self.best = self.checked_best(state)

    def checked_best(self, state: State) -> dict[str, Any]:
        """Return the epoch and the digest of ``best.pt``, written again where that is possible.

        Raises UserError if it is lost or damaged and no checkpoint has its weights.
        """
        done, path = len(state.history), self.folder / BEST_WEIGHTS
        epoch = best_epoch(state.history, self.recipe.monitor, self.recipe.mode)
        last = read_last(self.folder, lazily=True)
        problem, digest = "", None
        try:
            content, digest = atomic_files.load_with_digest(path)
            stored = content["epoch"]
            known = last.get("best", {}).get("digest")
            if stored > done:
                return {"epoch": stored, "digest": digest}  # of an epoch that is trained again
            if stored != epoch:
                problem = f"{path} holds the weights of epoch {stored}, and epoch {epoch} was best"
            elif known and digest != known:
                problem = f"{path} is not the file that {LAST_CHECKPOINT} names"
            elif epoch == done and state.midway is None:
                same = same_tensors(content["model"], state)
                problem = "" if same else f"{path} has other weights than {LAST_CHECKPOINT}"
        except FileNotFoundError:
            problem = f"{path} does not exist"
        except atomic_files.DamagedFileError as error:
            problem = str(error)
        except WRONG_CONTENT as error:
            problem = f"{path} has another content ({type(error).__name__}: {error})"
        if not problem:
            return {"epoch": epoch, "digest": digest}
        if epoch == done and state.midway is None:
            weights = state.averaged.state_dict()
        else:
            weights = self.best_in_previous(epoch)
        if weights is None:
            raise UserError(
                f"{problem}.\nNo checkpoint has the best weights any more. Delete "
                f"{self.folder / CHECKPOINTS} and resume: this run (or this fold) is then trained "
                "again from epoch 1, with the same end"
            )
        log.warning("%s; it is written again from a checkpoint", problem)
        return {"epoch": epoch, "digest": self.write_best(weights, epoch)}

    def best_in_previous(self, epoch: int) -> dict | None:
        """Return the averaged weights of ``previous.pt`` if they are those of this epoch."""
        try:
            content = atomic_files.load_checked(self.folder / PREVIOUS_CHECKPOINT)
        except (FileNotFoundError, atomic_files.DamagedFileError):
            return None
        reached = len(history_in(content)) == epoch and content.get("midway") is None
        return content["averaged"] if reached else None

    def epoch(self, state: State) -> None:
        epoch = state.history[-1].epoch
        if best_epoch(state.history, self.recipe.monitor, self.recipe.mode) != epoch:
            self.save(state)
            return
        self.best = {"epoch": epoch, "digest": ""}  # they are the averaged weights of last.pt
        self.save(state)
        if is_first():
            self.best["digest"] = self.write_best(state.averaged.state_dict(), epoch)

    def midway(self, state: State) -> None:
        self.save(state)

    def save(self, state: State) -> None:
        """Write ``last.pt``."""
        if is_first():
            content = pack(state) | {"best": dict(self.best), "origin": self.origin}
            previous = self.folder / PREVIOUS_CHECKPOINT if self.keeps_last else None
            atomic_files.save_checked(self.folder / LAST_CHECKPOINT, content, keep=previous)
            self.keeps_last = True
        if self.every is not None:
            self.every.restart()

    def write_best(self, weights: Mapping[str, torch.Tensor], epoch: int) -> str:
        """Write ``best.pt``; return its digest."""
        best = {
            "model": dict(weights),
            "epoch": epoch,
            "whitened": isinstance(self.fold.standardize, Whiten),
            **self.fold.standardize.tensors(),
        }
        return atomic_files.save_checked(self.folder / BEST_WEIGHTS, best)


def is_undamaged(path: Path) -> bool:
    """Return whether a checkpoint exists and is undamaged."""
    try:
        atomic_files.load_checked(path, lazily=True)
    except (FileNotFoundError, atomic_files.DamagedFileError):
        return False
    return True


def same_tensors(stored: Mapping[str, torch.Tensor], state: State) -> bool:
    """Return whether stored weights are the averaged ones of a state, to the last bit."""
    weights = state.averaged.state_dict()
    return stored.keys() == weights.keys() and all(
        stored[name].dtype == tensor.dtype and torch.equal(stored[name], tensor.cpu())
        for name, tensor in weights.items()
    )
