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

    Fused optimizers with the same options are one call of their kernel. It updates every tensor
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
        for turn in turns:
            for constrain in turn.lane.recipe.constraints:
                constrain(turn.lane.state.model)

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


def kind_of_step(state: State) -> tuple | None:
    """Return the kernel and options of an optimizer's step; None if it has to run by itself."""
    step = state.optimizer.step
    if not isinstance(step, FusedStep) or not step.gather():
        return None
    if any(p.grad is None for group in state.optimizer.param_groups for p in group["params"]):
        return None
    values = [group.get(name) for group in state.optimizer.param_groups for name in OPTIONS]
    return step.kernel, *(tuple(v) if isinstance(v, list) else v for v in values)


def add_penalties(turns: Sequence[Turn]) -> None:
    """Add the gradients of all lanes' penalties to those of the losses."""
    found = [penalty(t.lane.state.model) for t in turns for penalty in t.lane.recipe.penalties]
    if found:
        torch.stack(found).sum().backward()
