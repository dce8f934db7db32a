"""The last state that a run can return to: that of the end of its last epoch."""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from dlcourse.core import State

EPOCH_START = "start"
"""The key of a position within an epoch: the state at the epoch's start, if it is kept whole."""


class LastGood:
    """Keeps a copy of a state's weights or, with ``whole``, of the optimizer and scaler as well.

    The weights alone are kept for a run that ends where a number is not finite: what is left in
    memory then is what its last checkpoint holds. The whole state is that of the end of the last
    epoch, never of a checkpoint within an epoch, which a signal may write at any time: where a run
    goes back to must not depend on the clock. Such a checkpoint holds it too.
    """

    def __init__(self, state: State, whole: bool) -> None:
        self.whole = whole
        self.keep(state)
        if whole and state.midway is not None and EPOCH_START in state.midway:
            self.content = state.midway[EPOCH_START]

    def keep(self, state: State) -> None:
        """Keep the state of now."""
        self.content: dict[str, Any] = {
            "weights": [t.detach().clone() for t in models_tensors(state)]
        }
        if self.whole:
            self.content["optimizer"] = deepcopy(state.optimizer.state_dict())
            self.content["scaler"] = deepcopy(state.scaler.state_dict())

    def within_epoch(self, state: State) -> dict[str, Any]:
        """Return what a checkpoint within an epoch holds besides its position."""
        if self.whole:
            return {EPOCH_START: self.content}
        self.keep(state)
        return {}

    @torch.no_grad()
    def restore(self, state: State) -> None:
        """Give a state the values that were kept, the start of an epoch; weights in place."""
        for tensor, value in zip(models_tensors(state), self.content["weights"], strict=True):
            tensor.copy_(value)
        if self.whole:
            state.optimizer.load_state_dict(deepcopy(self.content["optimizer"]))
            state.scaler.load_state_dict(self.content["scaler"])
            state.midway = None


def models_tensors(state: State) -> list[Tensor]:
    """Return the parameters and buffers of the model and of its average."""
    models = [state.model] if state.averaged is state.model else [state.model, state.averaged]
    return [t for model in models for t in (*model.parameters(), *model.buffers())]
