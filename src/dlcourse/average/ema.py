"""The exponential moving average of the weights."""

from torch import nn

from dlcourse.average.blend import blend_weights, frozen_copy


class EMA:
    """Keeps average <- d average + (1 - d) weights, with d = min(decay, (1 + step) / (10 + step)).

    The smaller d of the first steps reduces the weight of the initial values. Norm statistics are
    averaged like weights; integers (the count of batches in a norm) are copied.

    decay: in [0, 1); the average covers about 1 / (1 - decay) steps.

    Reference: Polyak, Juditsky, "Acceleration of stochastic approximation by averaging", SIAM J.
    Control Optim. 30, 1992; the exponential form as in Tarvainen, Valpola, "Mean teachers are
    better role models", NIPS 2017.
    """

    def __init__(self, *, decay: float) -> None:
        self.decay = decay

    def start(self, model: nn.Module) -> nn.Module:
        """Return a copy of the model: the average before the first step."""
        return frozen_copy(model)

    def update(self, averaged: nn.Module, model: nn.Module, step: int) -> None:
        """Move the average towards the model."""
        blend_weights(averaged, model, 1 - min(self.decay, (1 + step) / (10 + step)))
