"""Checkpoints: the state of training in one file, and the best weights in another."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse import atomic_files
from dlcourse.core import Impute, Record, Standardize, State, Whiten
from dlcourse.distributed.ranks import is_first
from dlcourse.errors import UserError
from dlcourse.file_digest import NewerFileError
from dlcourse.schema.run_files import (
    BEST_WEIGHTS,
    CHECKPOINTS,
    HISTORY,
    LAST_CHECKPOINT,
    PREVIOUS_CHECKPOINT,
)
from dlcourse.schema.stored_shape import misfit
from dlcourse.train.checkpoint_content import refuse_other_map, refuse_other_state
from dlcourse.train.finite import infinite_buffers, refuse_infinite

WRONG_CONTENT = (KeyError, RuntimeError, ValueError, TypeError, IndexError, AttributeError,
                 OverflowError)  # fmt: skip
"""What PyTorch raises for a content that is whole and does not fit."""

MIDWAY_SHAPE = None, {"step": int, "seconds": float, "meter": dict, "random": dict}

log = logging.getLogger(__name__)


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
    return (folder / LAST_CHECKPOINT).exists() or (folder / PREVIOUS_CHECKPOINT).exists()


def restore(state: State, folder: Path) -> State:
    """Load the last checkpoint of a run's folder into a new state.

    Without a checkpoint the state stays new: starting and resuming are the same code. If the last
    one is damaged or lost, the one before it is loaded, with a warning.
    Raises UserError for damaged checkpoints and for those of another model.
    """
    if not has_checkpoint(folder):
        if is_first() and was_trained(folder):
            log.warning(
                "%s has no checkpoint any more: training starts again at epoch 1",
                folder / CHECKPOINTS,
            )
        return state
    content = read_last(folder, warn=is_first())
    path = folder / LAST_CHECKPOINT
    try:
        refuse_other_types(state.model, content["model"])
        refuse_other_types(state.averaged, content["averaged"])
        state.model.load_state_dict(content["model"])
        state.averaged.load_state_dict(content["averaged"])
        refuse_other_state(state.optimizer, content["optimizer"])
        state.optimizer.load_state_dict(content["optimizer"])
        state.scaler.load_state_dict(content["scaler"])
        state.history = history_in(content)
        spent = sum(record.metrics["seconds"] for record in state.history)
        state.seconds = float(content.get("seconds", spent))  # older checkpoints have no such key
        state.midway = content.get("midway")
        if problem := misfit(state.midway, MIDWAY_SHAPE, "midway"):
            raise ValueError(problem)
    except WRONG_CONTENT as error:
        raise _misfit(path, error) from error
    return state


def was_trained(folder: Path) -> bool:
    """Return whether a run's folder has the history of epochs."""
    history = folder / HISTORY
    return history.exists() and history.stat().st_size > 0


def refuse_other_types(model: nn.Module, stored: Mapping[str, Tensor]) -> None:
    """Raise ValueError if a stored tensor would silently be converted to another kind of number."""
    for name, tensor in model.state_dict().items():
        found = stored.get(name)
        if not isinstance(found, Tensor):
            continue  # load_state_dict names it
        if kind_of_number(found.dtype) != kind_of_number(tensor.dtype):
            raise ValueError(f"{name} is {found.dtype}, and the model has {tensor.dtype}")


def kind_of_number(dtype: torch.dtype) -> str:
    """Return the kind of numbers of a dtype: real, complex or whole."""
    if dtype.is_complex:
        return "complex"
    return "real" if dtype.is_floating_point else "whole"


def history_in(content: Mapping[str, Any]) -> list[Record]:
    """Return the history in a checkpoint's content; raises ValueError for one with gaps."""
    history = [Record(int(epoch), dict(metrics)) for epoch, metrics in content["history"]]
    if [record.epoch for record in history] != list(range(1, len(history) + 1)):
        raise ValueError("its epochs are not numbered 1, 2, ...")
    if problem := misfit([record.metrics for record in history], [{str: float}], "history"):
        raise ValueError(problem)
    lacking = [record.epoch for record in history if "train/loss" not in record.metrics]
    if lacking:
        raise ValueError(f"epoch {lacking[0]} of its history has no train/loss")
    return history


def history_of(folder: Path) -> list[Record]:
    """Return the history in a run's folder; empty before its first checkpoint."""
    if not has_checkpoint(folder):
        return []
    try:
        return history_in(read_last(folder, lazily=True))
    except WRONG_CONTENT as error:
        raise _misfit(folder / LAST_CHECKPOINT, error) from error


def read_last(folder: Path, *, lazily: bool = False, warn: bool = False) -> dict:
    """Return the content of ``last.pt``, or of ``previous.pt`` if that is damaged or lost.

    lazily: as in ``atomic_files.load_checked``. warn: whether to log that it is the previous one.
    Raises UserError if neither can be read, and for a checkpoint of a newer dlcourse.
    """
    last, previous = folder / LAST_CHECKPOINT, folder / PREVIOUS_CHECKPOINT
    try:
        return atomic_files.load_checked(last, lazily=lazily)
    except NewerFileError as error:
        raise newer(error) from error
    except (FileNotFoundError, atomic_files.DamagedFileError) as error:
        problem = f"{last} does not exist" if isinstance(error, FileNotFoundError) else str(error)
    try:
        content = atomic_files.load_checked(previous, lazily=lazily)
    except FileNotFoundError:
        raise no_checkpoint(folder, f"{problem}, and there is no {previous.name}") from None
    except atomic_files.DamagedFileError as error:
        raise no_checkpoint(folder, f"{problem}, and {error}") from error
    if warn:
        done = len(content.get("history", []))
        log.warning(
            "%s: the run is resumed from %s, after epoch %s, with the same end",
            problem, previous.name, done,
        )  # fmt: skip
    return content


def no_checkpoint(folder: Path, problem: str) -> UserError:
    """Return the error of a run whose checkpoints cannot be read."""
    return UserError(
        f"{problem}.\nThe run cannot be resumed: delete {folder / CHECKPOINTS} and resume, and "
        "this run (or this fold) is trained again from epoch 1"
    )


def newer(error: Exception) -> UserError:
    """Return the error for a file that only a newer dlcourse can read."""
    return UserError(f"{error}.\nType pip install --upgrade dlcourse")


def read_best(
    model: nn.Module, folder: Path, shape: tuple[int, ...] | None = None
) -> tuple[int, Standardize]:
    """Put the best epoch's weights into the model; return that epoch and its standardisation.

    shape: of one input, which the standardisation has to fit.
    Raises UserError for a damaged file, one of another model, and weights that are not finite.
    """
    path = folder / BEST_WEIGHTS
    content = read_checkpoint(path)
    masks = infinite_buffers(model)
    try:
        refuse_other_types(model, content["model"])
        model.load_state_dict(content["model"])
        found = int(content["epoch"]), stored_map(content)
        refuse_other_map(found[1], shape)
    except WRONG_CONTENT as error:
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
    except NewerFileError as error:
        raise newer(error) from error
    except atomic_files.DamagedFileError as error:
        again = path.parent.parent / "result.json"
        raise UserError(
            f"{error}.\nPut it back from a copy. Without one, delete {again} and {path.parent}, "
            "and resume: the run (or this fold) is trained again from epoch 1"
        ) from error


def _misfit(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:300]
    return UserError(f"{path} does not fit this model and optimizer: {reason}")
