"""L-BFGS."""

from typing import Any, cast

import torch
from torch import Tensor

from dlcourse.core import Recipe, State, objective
from dlcourse.errors import UserError
from dlcourse.optim.several_passes import buffers_restored, rng_restored


class LBFGS(torch.optim.LBFGS):
    """Moves along an estimate of the inverse Hessian, from recent steps, times the gradient.

    One step, on the whole training part, makes up to ``max_iter`` iterations and up to 5/4 as many
    forward and backward passes.

    line_search_fn: ``strong_wolfe`` searches the length of each iteration's step, starting from
        ``lr``; ``none`` uses ``lr``.

    Raises UserError for several parameter groups, because there is one direction and one length.

    Reference: Liu, Nocedal, "On the limited memory BFGS method for large scale optimization",
    Math. Programming 45, 1989; in PyTorch's implementation.
    """

    def __init__(
        self,
        groups: list[dict],
        *,
        lr: float,
        max_iter: int,
        history_size: int,
        line_search_fn: str,
        tolerance_grad: float,
        tolerance_change: float,
    ) -> None:
        if len(groups) > 1:
            raise UserError(
                "optim=lbfgs moves all parameters in one direction, with one rate for all of "
                "them.\nType optim.rates=[]"
            )
        super().__init__(
            groups,
            lr=lr,
            max_iter=max_iter,
            history_size=history_size,
            line_search_fn=None if line_search_fn == "none" else line_search_fn,
            tolerance_grad=tolerance_grad,
            tolerance_change=tolerance_change,
        )

    @staticmethod
    def training_step(
        state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        """Iterate on one batch, then apply the constraints; gradients are not clipped.

        All passes have the same dropout masks, and only the first updates norm statistics, so that
        the objective is one function within a step. Returns the outputs (N, K) and the mean loss
        before the update, both without a gradient.
        """

        def differentiate() -> tuple[Tensor, Tensor, Tensor]:
            state.optimizer.zero_grad()
            with rng_restored(inputs.device):
                outputs, loss, total = objective(state, inputs, targets, recipe)
            total.backward()
            for weight in state.model.parameters():
                if weight.grad is not None:  # torch's LBFGS flattens them with view(-1)
                    weight.grad = weight.grad.contiguous()
            return outputs.detach(), loss.detach(), total.detach()

        first = differentiate()
        pending = [first[-1]]  # the first iteration needs no second pass
        with buffers_restored(state.model):
            optimizer = cast(torch.optim.LBFGS, state.optimizer)
            optimizer.step(lambda: cast(Any, pending.pop() if pending else differentiate()[-1]))
        for constrain in recipe.constraints:
            constrain(state.model)
        return first[0], first[1]
