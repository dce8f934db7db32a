"""Check that the content of a checkpoint, whole as its file may be, fits what it is loaded into.

PyTorch checks the names and shapes of weights. The state of an optimizer it takes as it comes: a
fused update with a momentum of another shape reads and writes memory that is not its own.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dlcourse.core import Standardize
from dlcourse.schema.stored_shape import is_one

OF_EACH_WEIGHT = (
    "exp_avg", "exp_avg_sq", "max_exp_avg_sq", "max_exp_avg_sqs", "exp_inf", "momentum_buffer",
    "momentum", "square_avg", "grad_avg", "acc_delta", "sum", "ax", "prev", "z",
)  # fmt: skip
"""The parts of optimizers' states that have one number for each weight."""
OPTIONS_OF_ALL_VERSIONS = {
    "lr", "betas", "eps", "weight_decay", "momentum", "dampening", "nesterov", "alpha", "rho",
    "lr_decay", "lambd", "etas", "step_sizes", "momentum_decay",
}  # fmt: skip
"""Options that every version of PyTorch stores for the optimizers that have them."""
Numeric = int | float | Tensor


def refuse_other_state(optimizer: torch.optim.Optimizer, stored: Any) -> None:
    """Raise ValueError if a stored state of an optimizer does not fit it.

    stored: from ``state_dict`` of an optimizer of the same kind.
    """
    if not (isinstance(stored, Mapping) and isinstance(stored.get("state"), Mapping)):
        raise ValueError("the optimizer's state is not a mapping")
    own, groups = optimizer.param_groups, stored.get("param_groups")
    if not isinstance(groups, list) or len(groups) != len(own):
        raise ValueError(f"the optimizer's state has not {len(own)} groups of weights")
    known: dict[Any, Tensor] = {}
    for group, other in zip(own, groups, strict=True):
        numbers = other.get("params") if isinstance(other, Mapping) else None
        if not isinstance(numbers, list) or len(numbers) != len(group["params"]):
            raise ValueError("a group of the optimizer's state has another number of weights")
        refuse_other_options(group, other)
        members = dict(zip(numbers, group["params"], strict=True))
        if type(optimizer).__module__.startswith("torch.optim."):
            refuse_unequal_keys(members, stored["state"])
        known |= members
    if sum(len(group["params"]) for group in own) != len(known):
        raise ValueError("two weights have the same number in the optimizer's state")
    for number, state in stored["state"].items():
        if number not in known:
            raise ValueError(f"the optimizer's state has a weight {number!r:.40} of no group")
        refuse_other_shapes(known[number], state, number)


def refuse_other_options(group: Mapping[str, Any], stored: Mapping[str, Any]) -> None:
    """Raise ValueError if the options of a group have values of other kinds than the stored ones.

    An option that only one of them has may be that of another version of PyTorch.
    """
    lacking = sorted(OPTIONS_OF_ALL_VERSIONS & group.keys() - stored.keys())
    if lacking:
        raise ValueError(f"{lacking[0]} of the optimizer is missing")
    for name in group.keys() & stored.keys() - {"params"}:
        own, other = group[name], stored[name]
        if not is_like(own, other):
            raise ValueError(f"{name} of the optimizer is {other!r:.40}, and should be {own!r:.40}")


def is_like(own: Any, other: Any) -> bool:
    """Return whether a stored option is of the kind of an optimizer's own, which may be None."""
    if own is None:
        return isinstance(other, bool | str | None) or is_number_or_scalar(other)
    if isinstance(own, bool):
        return isinstance(other, bool)
    if isinstance(own, list | tuple):
        equally_long = isinstance(other, list | tuple) and len(own) == len(other)
        return equally_long and all(map(is_like, own, other))
    return is_number_or_scalar(other) if isinstance(own, Numeric) else isinstance(other, type(own))


def is_number_or_scalar(value: Any) -> bool:
    """Return whether a value is a number, or a tensor with a single one."""
    if isinstance(value, Tensor):
        return value.ndim == 0 and not value.is_complex()
    return is_one(value, float)


def refuse_unequal_keys(members: Mapping[Any, Tensor], state: Mapping[Any, Any]) -> None:
    """Raise ValueError if weights of a group with equally many dimensions have other tensors.

    Weights without a state are left out: some have never had a gradient.
    """
    kinds: dict[int, set] = {}
    for number, weight in members.items():
        own = state.get(number)
        if isinstance(own, Mapping) and own:
            tensors = {name for name in own if isinstance(own[name], Tensor)}
            names = tensors & {"step", *OF_EACH_WEIGHT}
            if kinds.setdefault(weight.ndim, names) != names:
                lacking = sorted(map(str, kinds[weight.ndim] ^ names))[0]
                raise ValueError(f"{lacking} of the optimizer is stored for some weights only")


def refuse_other_shapes(weight: Tensor, state: Any, number: Any) -> None:
    """Raise ValueError if the optimizer's state of a weight is no mapping or has another shape."""
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state):
        raise ValueError(f"the optimizer's state of weight {number} is not a mapping")
    for name, value in state.items():
        each = name in OF_EACH_WEIGHT
        if isinstance(value, Tensor) and each and value.shape != weight.shape:
            raise ValueError(
                f"{name} of the optimizer has the shape {tuple(value.shape)}, and its weight "
                f"{tuple(weight.shape)}"
            )
        wrong = isinstance(value, Tensor) and value.is_complex() != weight.is_complex()
        wrong |= each and not isinstance(value, Tensor | None)
        wrong |= name == "step" and not is_number_or_scalar(value)
        if wrong or (isinstance(value, Tensor) and each and not value.is_floating_point()):
            raise ValueError(f"{name} of the optimizer is {value!r:.40}")


def refuse_other_map(standardize: Standardize, shape: tuple[int, ...] | None) -> None:
    """Raise ValueError if a standardisation is not of numbers, or not of inputs of a shape.

    shape: of one input; None if it is not known.
    """
    for name, part in standardize.tensors().items():
        if not isinstance(part, Tensor) or not part.is_floating_point():
            raise ValueError(f"{name} of the standardisation is {part!r:.40}")
    if shape is None:
        return
    try:
        made = standardize(torch.zeros(1, *shape, dtype=standardize.mean.dtype))
    except RuntimeError as error:
        raise ValueError(f"the standardisation is that of other inputs ({error})") from error
    if made.shape != (1, *shape):
        raise ValueError("the standardisation is that of other inputs")
