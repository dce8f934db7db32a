"""A trained model with its standardisation: raw inputs in, outputs or predictions out."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.core import Standardize, Whiten
from dlcourse.engine.ensemble import average
from dlcourse.errors import UserError
from dlcourse.introspect.classification import as_probabilities
from dlcourse.train.evaluate import EVALUATION_BATCH


class TrainedModel(nn.Module):
    """The network of a finished run with its standardisation, as one module.

    ``forward``: raw inputs -> outputs (N, K). Inputs are images (N, C, H, W), as uint8 or floats
    from 0 to 255, or float features (N, D) as the data set has them. With the loss
    ``cross_entropy``, the softmax of the outputs gives the probabilities. Inputs that are floats
    get gradients.

    network: with the best epoch's weights. standardize: computed on the training part.
    prepare: puts inputs into the network's memory format.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, network: nn.Module, standardize: Standardize, prepare: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.network = network
        self.parts = tuple(standardize.tensors())
        for name, part in standardize.tensors().items():
            self.register_buffer(name, part)
        self.kind = type(standardize)
        self.prepare = prepare

    def standardize(self, inputs: Tensor) -> Tensor:
        """Standardise raw inputs (N, ...) as in training."""
        return self.kind(**{name: getattr(self, name) for name in self.parts})(inputs)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.network(self.prepare(self.standardize(inputs)))

    def extra_repr(self) -> str:
        how = "whitens" if self.kind is Whiten else "standardises"
        return f"{how} raw inputs first"


@torch.no_grad()
def predict(
    models: Sequence[TrainedModel],
    inputs: Tensor,
    evaluate: Callable[[nn.Module, Tensor], Tensor],
    autocast: Callable[[], Any],
    kind: str,
    *,
    task: str,
) -> Tensor:
    """Return the class probabilities (N, K) of raw inputs, or the values of a regression (N, K).

    Where examples can have several classes, each probability is for itself.

    The result is float32 (float64 for a run in float64), on the CPU. The predictions of several
    models are averaged by ``engine.ensemble``. For losses whose outputs are scores, the result is
    the softmax of the scores, which ranks the classes and is not calibrated.

    evaluate: model, standardised inputs -> outputs (N, K), averaged over the run's views.
    kind: softmax, sigmoid or scores, as the loss declares its outputs.
    task: that of the data set, as ``Dataset.task``.
    """
    device = models[0].mean.device
    found = []
    for batch in inputs.split(EVALUATION_BATCH):
        batch = batch.to(device)
        with autocast():
            outputs = [evaluate(model.network, model.standardize(batch)) for model in models]
        made = torch.stack([one if one.dtype == torch.float64 else one.float() for one in outputs])
        mean = average(made, kind, task=task)  # (N, K), float64
        found.append(as_probabilities(mean, task).to(made.dtype).cpu())
    return torch.cat(found)


def as_inputs(inputs: Any, input_shape: tuple[int, ...]) -> Tensor:
    """Convert a user's inputs to a tensor (N, *input_shape), as the run takes them.

    inputs: a tensor, a NumPy array, or nested lists. Raises UserError for another shape, and for
    images that are not uint8.
    """
    try:
        tensor = torch.as_tensor(inputs)
    except (TypeError, ValueError, RuntimeError) as error:
        raise UserError(
            f"These inputs are not an array of numbers: {error}.\n"
            f"Give a tensor or an array {input_text(input_shape)}"
        ) from error
    if tuple(tensor.shape[1:]) != input_shape or tensor.ndim == 0:
        raise UserError(
            f"The inputs have the shape {tuple(tensor.shape)}, and this run takes "
            f"{input_text(input_shape)}.\n{reshaped(tuple(tensor.shape), input_shape)}"
        )
    if len(tensor) == 0:
        raise UserError(f"There are no inputs: the shape is {tuple(tensor.shape)}")
    if len(input_shape) != 3:
        return tensor.float() if tensor.dtype != torch.float64 else tensor
    if tensor.dtype != torch.uint8:
        fractions = tensor.is_floating_point() and float(tensor.max()) <= 1.0
        scaled = "(255 * images).round()" if fractions else "images"
        to = "to(torch.uint8)" if isinstance(inputs, Tensor) else "astype(numpy.uint8)"
        raise UserError(
            f"The images are {tensor.dtype}, and this run takes raw images: uint8, from 0 to 255.\n"
            f"Type {scaled}.{to}"
        )
    return tensor


def input_text(input_shape: tuple[int, ...]) -> str:
    """Return the shape and type of a run's inputs as text, ``(N, 1, 28, 28), uint8``."""
    kind = "uint8" if len(input_shape) == 3 else "float"
    return f"(N, {', '.join(map(str, input_shape))}), {kind}"


def reshaped(shape: tuple[int, ...], input_shape: tuple[int, ...]) -> str:
    """Return a hint how to reshape inputs of another shape."""
    if shape == input_shape:
        return "For one example type inputs[None]"
    if len(input_shape) == 3 and input_shape[0] == 1 and shape[1:] == input_shape[1:]:
        return "For grey images (N, H, W) type images[:, None]"
    if len(input_shape) == 3 and (shape[3:] + shape[1:3]) == input_shape:
        return "For images (N, H, W, C) type torch.as_tensor(images).permute(0, 3, 1, 2)"
    return "The shape of an example is that of the training data"
