"""L-BFGS."""

import torch
from torch import Tensor

from dlcourse.core import Recipe, State
from dlcourse.errors import UserError
from dlcourse.optim.objective import buffers_restored, objective, rng_restored


class LBFGS(torch.optim.LBFGS):
    """Follows an estimate of the inverse Hessian times the gradient, built from recent steps.

    One step, on the whole training part, makes up to ``max_iter`` iterations and up to 5/4 as many
    forward and backward passes. The first length tried is ``lr``.

    line_search_fn: ``strong_wolfe`` finds each iteration's length, ``none`` takes ``lr`` itself.

    Raises UserError for several parameter groups: they have one common direction and length.

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
                "optim=lbfgs moves all parameters in one direction and takes no rates of their "
                "own.\nType optim.rates=[]"
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
        """Iterate on one batch, then constrain; gradients are neither clipped nor scaled.

        Every pass draws the same dropout masks, and only the first moves norm statistics: within a
        step the objective is one function. Returns the outputs (N, K) and the mean loss before
        the update, both without a gradient.
        """

        def differentiate() -> tuple[Tensor, Tensor, Tensor]:
            state.optimizer.zero_grad()
            with rng_restored(inputs.device):
                outputs, loss, total = objective(state, inputs, targets, recipe)
            total.backward()
            for weight in state.model.parameters():
                if weight.grad is not None:  # PyTorch's lays them end to end, in this order alone
                    weight.grad = weight.grad.contiguous()
            return outputs.detach(), loss.detach(), total.detach()

        first = differentiate()
        pending = [first[-1]]  # the first iteration starts where we are: no second pass for it
        with buffers_restored(state.model):
            state.optimizer.step(lambda: pending.pop() if pending else differentiate()[-1])
        for constrain in recipe.constraints:
            constrain(state.model)
        return first[0], first[1]
