"""Sharpness-aware minimisation."""

from typing import cast

import torch
from torch import Tensor, nn

from dlcourse.core import Recipe, State
from dlcourse.optim.several_passes import buffers_restored, rng_restored


class SAM(torch.optim.SGD):
    """Updates the weights w by the gradient at w + rho g / ||g||, about the worst point nearby.

    g is the gradient at w of the loss with penalties, over all parameters together. The update is
    SGD's, with momentum and weight decay. A step costs two forward and backward passes.

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
        """Compute the gradient, ascend, compute it again, restore, clip, update, constrain.

        Both passes have the same dropout masks, and only the first updates norm statistics. Returns
        the first pass's outputs (N, K) and mean loss, both without a gradient.
        """
        model, optimizer = state.model, state.optimizer
        with rng_restored(inputs.device):
            outputs, loss = recipe.differentiate(state, inputs, targets, recipe)
        weights = ascend(model, cast(SAM, optimizer).rho)
        with buffers_restored(model):
            recipe.differentiate(state, inputs, targets, recipe)
        restore_weights(weights)
        recipe.update(state, loss, recipe)
        return outputs, loss


@torch.no_grad()
def ascend(model: nn.Module, rho: float) -> list[tuple[Tensor, Tensor]]:
    """Move the weights by rho along their joint gradient; return them with their old values.

    The scale of an fp16 loss cancels in g / ||g||. For a gradient of zero the weights do not move.
    """
    gradients = [(w, w.grad) for w in model.parameters() if w.grad is not None]
    before: list[tuple[Tensor, Tensor]] = [(weight, weight.clone()) for weight, _ in gradients]
    length = nn.utils.get_total_norm([gradient for _, gradient in gradients])
    for weight, gradient in gradients:
        weight.add_(gradient * (rho / length.clamp(min=1e-12)))
    return before


@torch.no_grad()
def restore_weights(weights: list[tuple[Tensor, Tensor]]) -> None:
    """Copy the old values back, exactly."""
    for weight, value in weights:
        weight.copy_(value)
