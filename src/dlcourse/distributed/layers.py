"""Replace the layers of a model that need the whole batch, where several ranks share it."""

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dlcourse.distributed.batch_norm import SYNCHRONISED
from dlcourse.distributed.dropout import SHARED_DROPOUTS
from dlcourse.distributed.piece import Piece, within_piece
from dlcourse.distributed.ranks import this_rank
from dlcourse.errors import UserError

BatchNorm = nn.modules.batchnorm._BatchNorm


def share_layers(model: nn.Module, *, synchronised: bool) -> None:
    """Let dropout and batch norm see the whole batch, in place; names and weights stay the same.

    synchronised: whether the statistics of batch norm are those of all ranks.

    Raises UserError for a class derived from batch norm, whose own statistics are not known here.
    """
    kinds = SHARED_DROPOUTS | (SYNCHRONISED if synchronised else {})
    for name, layer in model.named_modules():
        if type(layer) in kinds:
            layer.__class__ = kinds[type(layer)]
        elif synchronised and isinstance(layer, BatchNorm) and type(layer) not in kinds.values():
            raise UserError(
                f"{name} of this model is a {type(layer).__name__}, and only nn.BatchNorm1d, 2d "
                "and 3d are computed over several devices.\n"
                "Type runtime.batch_norm=per_device, or runtime.devices=1"
            )


def running_statistics(model: nn.Module) -> Sequence[Tensor]:
    """Return the running means and variances of a model's batch norms that are in training."""
    return [
        buffer
        for layer in model.modules()
        if isinstance(layer, BatchNorm) and layer.training
        for buffer in (layer.running_mean, layer.running_var)
        if buffer is not None
    ]


def refuse_small_shares(model: nn.Module, smallest: int) -> None:
    """Raise UserError if batch norm on each device would average over fewer than two examples.

    smallest: the number of examples of the smallest batch, which all ranks share.
    """
    size = this_rank().size
    if smallest // size >= 2 or not running_statistics(model):
        return
    raise UserError(
        f"runtime.batch_norm=per_device needs two examples on each of {size} devices, and the "
        f"smallest batch of an epoch has {smallest}.\n"
        "Type runtime.batch_norm=synchronised, or another batch_size"
    )


def refuse_own_random_numbers(model: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Raise UserError if a model draws random numbers in other ways than by ``nn.Dropout``.

    The ranks would draw other numbers than one device, and then other augmentations. The model
    computes two made-up examples in training mode; nothing of it is changed. A model that cannot
    compute them is not judged.
    """
    if _draws(model, input_shape):
        raise UserError(
            f"{type(model).__name__} draws random numbers while it computes, not only by "
            "nn.Dropout: several devices would draw others than one.\n"
            "Type runtime.devices=1, or use nn.Dropout in the model"
        )


def _draws(model: nn.Module, input_shape: tuple[int, ...]) -> bool:
    first = next(model.parameters())
    inputs = torch.zeros(2, *input_shape, device=first.device, dtype=first.dtype)
    inputs += torch.linspace(-1, 1, inputs[0].numel(), device=first.device).view(input_shape)
    layers = {layer: layer.training for layer in model.modules()}
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    states = _states(first.device)
    try:
        for layer in layers:
            layer.training = not isinstance(layer, (*SHARED_DROPOUTS, BatchNorm))
        with torch.no_grad(), within_piece(Piece(2, 0, 2)):
            model.forward(inputs)
        after = _states(first.device)
        return any(str(one) != str(other) for one, other in zip(states, after, strict=True))
    except Exception:  # the first step of training will report it
        return False
    finally:
        _restore(states, first.device)
        for layer, mode in layers.items():
            layer.training = mode
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


def _states(device: torch.device) -> list[Any]:
    """Return the states of all generators as values that can be compared."""
    found: list[Any] = [torch.get_rng_state().tolist(), random.getstate()]
    kind, keys, *rest = np.random.get_state(legacy=True)
    found.append((kind, np.asarray(keys).tolist(), *rest))
    if device.type == "cuda":
        found.append(torch.cuda.get_rng_state(device).tolist())
    return found


def _restore(states: list[Any], device: torch.device) -> None:
    torch.set_rng_state(torch.tensor(states[0], dtype=torch.uint8))
    random.setstate(states[1])
    kind, keys, *rest = states[2]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    if device.type == "cuda":
        torch.cuda.set_rng_state(torch.tensor(states[3], dtype=torch.uint8), device)
