"""Whether two models, functions or settings are the same, up to the numbers that are trained."""

from collections.abc import Mapping
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

NOT_COMPARED = {"_parameters", "_buffers", "_modules", "training", "_non_persistent_buffers_set"}


def alike(one: Any, other: Any) -> bool:
    """Return whether two values have the same type and content.

    Functions are alike with the same code, defaults and enclosed values, and objects with alike
    attributes. Values that cannot be compared, such as objects that refer to themselves, are not.
    """
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    try:
        return content_alike(one, other)
    except (RecursionError, RuntimeError, TypeError, ValueError):
        return False


def content_alike(one: Any, other: Any) -> bool:
    """Return whether two values of the same type have the same content."""
    if isinstance(one, Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, nn.Module):
        return same_architecture(one, other)
    if isinstance(one, Mapping):
        return list(one) == list(other) and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, partial):
        parts = ("func", "args", "keywords")
        return all(alike(getattr(one, part), getattr(other, part)) for part in parts)
    if isinstance(one, FunctionType):
        return one.__code__ is other.__code__ and alike(enclosed(one), enclosed(other))
    if isinstance(one, MethodType):
        return one.__func__ is other.__func__ and alike(one.__self__, other.__self__)
    if type(one).__eq__ is not object.__eq__:
        return bool(one == other)
    return hasattr(one, "__dict__") and alike(vars(one), vars(other))


def enclosed(function: FunctionType) -> tuple:
    """Return all values that a function uses besides its arguments and globals."""
    cells = tuple(cell.cell_contents for cell in function.__closure__ or ())
    return cells, function.__defaults__, function.__kwdefaults__


def same_architecture(one: nn.Module, other: nn.Module) -> bool:
    """Return whether two models differ in nothing but their numbers and dropout probabilities."""
    ours, theirs = dict(one.named_modules()), dict(other.named_modules())
    return (
        ours.keys() == theirs.keys()
        and all(same_layer(ours[name], theirs[name]) for name in ours)
        and shapes(one) == shapes(other)
    )


def same_layer(one: nn.Module, other: nn.Module) -> bool:
    """Return whether two modules have the same type and attributes, their children aside."""
    return type(one) is type(other) and alike(attributes(one), attributes(other))


def attributes(layer: nn.Module) -> dict[str, Any]:
    """Return what determines a module's output, other than tensors; hooks as a list."""
    found = {name: value for name, value in vars(layer).items() if name not in NOT_COMPARED}
    if isinstance(layer, _DropoutNd):
        del found["p"]
    return {
        name: list(value.values()) if name.endswith("_hooks") and value else value
        for name, value in found.items()
    }


def shapes(model: nn.Module) -> list[tuple]:
    """Return the name, shape, memory order and type of every parameter and buffer."""
    tensors = [*model.named_parameters(), *model.named_buffers()]
    return [
        (name, t.shape, t.stride(), t.dtype, t.device, t.requires_grad, id(type(t)))
        for name, t in tensors
    ]
