"""One optimizer kernel for the stacked weights of all lanes."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from dlcourse.clip.none import none
from dlcourse.machine.fused_step import FusedStep
from dlcourse.together.stack import Stack, Taken, stack_in_place
from dlcourse.together.turn import Turn
from dlcourse.together.update import constrain_all, kind_of_step


class StackedOptimizer:
    """Updates all lanes by a fused kernel on stacked weights and optimizer states.

    This is possible if all optimizers have the same options and have done the same number of steps,
    and if nothing reads the gradients of a single lane. Each optimizer's state then is a view of
    the stacked state, so that it can also do a step by itself.
    """

    def __init__(self, turns: Sequence[Turn], stack: Stack) -> None:
        self.stack = stack
        self.steps: list[Any] = [turn.lane.state.optimizer.step for turn in turns]
        names = [names_in_groups(turn) for turn in turns]
        self.names = names[0]
        self.plain = all(
            isinstance(step, FusedStep) and own == names[0] and needs_no_gradient(turn)
            for turn, step, own in zip(turns, self.steps, names, strict=True)
        )
        self.states: list[dict[str, list[Tensor]]] | None = None

    def __call__(self, turns: Sequence[Turn], numbers: Taken) -> bool:
        """Update all lanes, if this is possible now; return whether it was done.

        turns: all lanes. numbers: their stacked parameters, with gradients.
        """
        if not self.plain or not self.ready(turns):
            return False
        gradients = [[numbers.parameters[name].grad for name in group] for group in self.names]
        if any(gradient is None for group in gradients for gradient in group):
            return False
        self.update(gradients)
        constrain_all(turns)
        return True

    def ready(self, turns: Sequence[Turn]) -> bool:
        """Return whether all optimizers would do the same step; stack their states once.

        A lane that has gone back to a checkpoint has a new state, and all are stacked again.
        """
        if self.states is not None and any(s.state is not s.optimizer.state for s in self.steps):
            self.states = None
        if self.states is None:
            for turn in turns:  # kinds are compared when all have a gradient of their own
                if kind_of_step(turn.lane.state, with_gradients=False) is None:
                    return False
            kinds = {kind_of_step(turn.lane.state, with_gradients=False) for turn in turns}
            if len({without_rates(kind) for kind in kinds if kind}) > 1:
                self.plain = False
                return False
            self.states = stacked_states(self.steps)
        counts = [group["step"][0] for group in self.states if group.get("step")]
        rates = {tuple(g["lr"] for g in step.optimizer.param_groups) for step in self.steps}
        even = all(bool((count == count[0]).all()) for count in counts)
        return len(rates) == 1 and even and all(step.gather() for step in self.steps)

    @torch.no_grad()
    def update(self, gradients: list[list[Any]]) -> None:
        """Call the kernel for each parameter group of the stack."""
        assert self.states is not None
        groups = self.steps[0].optimizer.param_groups
        for names, group, own, given in zip(
            self.names, groups, self.states, gradients, strict=True
        ):
            counts = own.get("step", [])
            first = own | {"step": [count[0] for count in counts]} if counts else own
            weights = [self.stack.parameters[name].detach() for name in names]
            self.steps[0].kernel(group | {"params": weights}, given, first)
            for count in counts:
                count[1:] += 1


def names_in_groups(turn: Turn) -> list[list[str]]:
    """Return the names of the parameters in each group of a lane's optimizer."""
    names = {id(weight): name for name, weight in turn.lane.state.model.named_parameters()}
    groups = turn.lane.state.optimizer.param_groups
    return [[names.get(id(weight), "") for weight in group["params"]] for group in groups]


def needs_no_gradient(turn: Turn) -> bool:
    """Return whether a lane has no clipping and no penalty."""
    clip, penalties = turn.lane.recipe.clip, turn.lane.recipe.penalties
    return not penalties and (clip.func if isinstance(clip, partial) else clip) is none


def without_rates(kind: tuple) -> tuple:
    """Return the options of an optimizer's step without its learning rates."""
    return tuple(value for name, value in kind if name != "lr")


def stacked_states(steps: Sequence[FusedStep]) -> list[dict[str, list[Tensor]]]:
    """Stack the states of all optimizers, which become views: of each group, lists by name."""
    found: list[dict[str, list[Tensor]]] = []
    for groups in zip(*(step.lists for step in steps), strict=True):
        stacks: dict[str, list[Tensor]] = {}
        for name in groups[0]:
            numbered = [{str(k): one for k, one in enumerate(own[name])} for own in groups]
            stacks[name] = list(stack_in_place(numbered).values())
        found.append(stacks)
    return found
