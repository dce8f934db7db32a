"""Sharpness-aware minimisation."""

import torch
from torch import Tensor, nn

from dlcourse.core import Recipe, State
from dlcourse.optim.objective import buffers_restored, objective, rng_restored


class SAM(torch.optim.SGD):
    """Descends along the gradient at w + rho g / ||g||, the worst point near the weights w.

    g is the gradient of the loss and the penalties at w, over all parameters together. The update
    itself is SGD's, with momentum and weight decay. A step costs two forward and backward passes.

    Reference: Foret, Kleiner, Mobahi, Neyshabur, "Sharpness-aware minimization for efficiently
    improving generalization", ICLR 2021, algorithm 1.
    """

    def __init__(self, groups: list[dict], *, lr: float, momentum: float, rho: float) -> None:
        fused = groups[0]["params"][0].device.type != "mps"
        super().__init__(groups, lr=lr, momentum=momentum, fused=fused)
        self.rho = rho

    @staticmethod
    def training_step(
        state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        """Take the gradient, climb, take it again, go back exactly, clip, update, constrain.

        Both passes draw the same dropout masks, and only the first moves norm statistics. Returns
        the first pass's outputs (N, K) and mean loss, both without a gradient.
        """
        model, optimizer, scaler = state.model, state.optimizer, state.scaler
        optimizer.zero_grad()
        with rng_restored(inputs.device):
            outputs, loss, total = objective(state, inputs, targets, recipe)
        scaler.scale(total).backward()
        weights = climb(model, optimizer.rho)
        optimizer.zero_grad()
        with buffers_restored(model):
            scaler.scale(objective(state, inputs, targets, recipe)[-1]).backward()
        go_back(weights)
        scaler.unscale_(optimizer)
        recipe.clip(model)
        scaler.step(optimizer)
        scaler.update()
        for constrain in recipe.constraints:
            constrain(model)
        return outputs.detach(), loss.detach()


@torch.no_grad()
def climb(model: nn.Module, rho: float) -> list[tuple[Tensor, Tensor]]:
    """Move the weights by rho along their joint gradient; return them with their old values.

    The scale of an fp16 loss falls out of g / ||g||. At a gradient of zero they stay.
    """
    learning = [weight for weight in model.parameters() if weight.grad is not None]
    before = [(weight, weight.clone()) for weight in learning]
    length = nn.utils.get_total_norm([weight.grad for weight in learning])
    for weight in learning:
        weight.add_(weight.grad * (rho / length.clamp(min=1e-12)))
    return before


@torch.no_grad()
def go_back(weights: list[tuple[Tensor, Tensor]]) -> None:
    """Give weights their old values, to the last bit."""
    for weight, value in weights:
        weight.copy_(value)
