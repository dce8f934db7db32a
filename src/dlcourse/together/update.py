"""Update the weights of several lanes from their gradients."""

from collections.abc import Sequence
from typing import Any

import torch

from dlcourse.core import State
from dlcourse.machine.fused_step import FusedStep
from dlcourse.together.turn import Turn

OPTIONS = (
    "decoupled_weight_decay", "amsgrad", "lr", "betas", "weight_decay", "eps", "maximize",
    "momentum", "dampening", "nesterov",
)  # fmt: skip
"""What the fused kernels read of a parameter group."""


class Update:
    """Updates lanes: penalties, clipping, the optimizers' steps, constraints, each lane its own.

    Fused optimizers with the same options are one call of their kernel. It updates every number
    by itself, so that the result is that of separate calls.
    """

    def __init__(self) -> None:
        self.lists: dict[tuple[int, ...], tuple[list, list, list]] = {}

    def __call__(self, turns: Sequence[Turn]) -> None:
        """Update the weights of lanes whose parameters have the gradients of their losses."""
        add_penalties(turns)
        for turn in turns:
            turn.lane.recipe.clip(turn.lane.state.model)
        alike: dict[Any, list[FusedStep]] = {}
        for turn in turns:
            state = turn.lane.state
            kind = kind_of_step(state)
            if kind is None:
                state.optimizer.step()
            else:
                step: Any = state.optimizer.step
                alike.setdefault(kind, []).append(step)
        for steps in alike.values():
            self.fused(steps)
        constrain_all(turns)

    @torch.no_grad()
    def fused(self, steps: Sequence[FusedStep]) -> None:
        """Call the kernel of alike optimizers once for each parameter group."""
        key = tuple(id(step.lists) for step in steps)
        if key not in self.lists:
            self.lists[key] = joined(steps)
        groups, lists, _ = self.lists[key]
        for group, own, first in zip(groups, lists, steps[0].optimizer.param_groups, strict=True):
            gradients = [weight.grad for weight in group]
            steps[0].kernel(first | {"params": group}, gradients, own)


def joined(steps: Sequence[FusedStep]) -> tuple[list, list, list]:
    """Return the parameters and the states of each group of all optimizers, as lists.

    The lists that they were made of are the third: while they exist, no other has their identity.
    """
    columns = zip(*(step.optimizer.param_groups for step in steps), strict=True)
    groups = [[weight for group in column for weight in group["params"]] for column in columns]
    lists = [
        {name: [one for part in column for one in part[name]] for name in column[0]}
        for column in zip(*(step.lists for step in steps), strict=True)
    ]
    return groups, lists, [step.lists for step in steps]


def kind_of_step(state: State, with_gradients: bool = True) -> tuple | None:
    """Return the kernel and the options of a fused optimizer, as pairs of a name and a value.

    None if it has to do its step by itself. with_gradients: whether a missing gradient is such a
    reason.
    """
    step: Any = state.optimizer.step
    if not isinstance(step, FusedStep) or not step.gather():
        return None
    groups = state.optimizer.param_groups
    if with_gradients and any(p.grad is None for group in groups for p in group["params"]):
        return None
    values = [(name, group.get(name)) for group in groups for name in OPTIONS]
    return ("kernel", step.kernel), *(
        (k, tuple(v) if isinstance(v, list) else v) for k, v in values
    )


def constrain_all(turns: Sequence[Turn]) -> None:
    """Apply every lane's constraints to its weights."""
    for turn in turns:
        for constrain in turn.lane.recipe.constraints:
            constrain(turn.lane.state.model)


def add_penalties(turns: Sequence[Turn]) -> None:
    """Add the gradients of all lanes' penalties to those of the losses."""
    found = [penalty(t.lane.state.model) for t in turns for penalty in t.lane.recipe.penalties]
    if found:
        torch.stack(found).sum().backward()
