"""Find the first number of a training that is not finite: checks of layers, gradients, weights."""

import re
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from dlcourse.core import Recipe, State
from dlcourse.errors import DivergedError

TrainingStep = Callable[[State, Tensor, Tensor, Recipe], tuple[Tensor, Tensor]]
CALLED_AT = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')


def detect_anomalies(wanted: bool) -> None:
    """Switch autograd's check of every gradient on or off for this process."""
    if wanted != torch.is_anomaly_enabled():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is slow, which the config says
            torch.autograd.set_detect_anomaly(wanted)


def check_layers(model: nn.Module) -> None:
    """Make every layer raise DivergedError for outputs that are not finite.

    Inner layers are checked before those around them, so that the first one is named. Buffers that
    hold infinities by design, such as attention masks, are no outputs.
    """
    for name, layer in model.named_modules():
        layer.register_forward_hook(make_check(name or "the model"))


def make_check(name: str) -> Callable[[nn.Module, object, object], None]:
    """Return a hook that checks the outputs of a layer."""

    def check(layer: nn.Module, inputs: object, outputs: object) -> None:
        for output in float_tensors_in(outputs):
            wrong = int((~output.isfinite()).sum())
            if wrong:
                kind = type(layer).__name__
                raise DivergedError(
                    f"the output of {name} ({kind}) is not finite: {wrong:,} of "
                    f"{output.numel():,} numbers. {cause_in(layer, inputs)}"
                )

    return check


def cause_in(layer: nn.Module, inputs: object) -> str:
    """Return what is known of the cause: the layer's weights, its inputs, or the layer itself."""
    for name, weight in layer.named_parameters():
        if not weight.isfinite().all():
            return f"Its {name} is not finite"
    if any(not one.isfinite().all() for one in float_tensors_in(inputs)):
        return "Its input is not finite: look at the data, or at what computes it"
    largest = max((float(one.abs().max()) for one in float_tensors_in(inputs)), default=0.0)
    weights = [float(weight.detach().abs().max()) for weight in layer.parameters()]
    weight = f", its largest weight {max(weights):.3g}" if weights else ""
    return f"Its input is finite (largest {largest:.3g}){weight}: the layer itself overflows"


def float_tensors_in(values: object) -> list[Tensor]:
    """Return the floating-point tensors in nested values, without empty ones."""
    tensors = [leaf.detach() for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]
    return [one for one in tensors if one.is_floating_point() and one.numel()]


def check_steps(step: TrainingStep) -> TrainingStep:
    """Return a training step that says where the first number that is not finite came from.

    It raises DivergedError with the step and the epoch, both counted from 1.
    """
    counted = {"epoch": 0, "step": 0}

    def checked(
        state: State, inputs: Tensor, targets: Tensor, recipe: Recipe
    ) -> tuple[Tensor, Tensor]:
        epoch = len(state.history) + 1
        counted["step"] = counted["step"] + 1 if counted["epoch"] == epoch else 1
        counted["epoch"] = epoch
        where = f"In step {counted['step']} of epoch {epoch}"
        if not inputs.isfinite().all():
            raise DivergedError(f"{where}: the inputs of the batch are not finite")
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                outputs, loss = step(state, inputs, targets, recipe)
            except DivergedError as error:
                raise DivergedError(f"{where}: {error}") from error
            except RuntimeError as error:
                if "returned nan values" not in str(error):
                    raise
                raise DivergedError(f"{where}: {gradient_text(error, said)}") from error
        for name, value in {"loss": loss, **dict(state.model.named_parameters())}.items():
            if not value.isfinite().all():
                raise DivergedError(f"{where}: {update_text(name, state, outputs)}")
        return outputs, loss

    return checked


def gradient_text(error: RuntimeError, said: list[warnings.WarningMessage]) -> str:
    """Return which function's gradient is NaN, and the line of the forward pass that called it."""
    function = re.search(r"Function '(\w+)'", str(error))
    name = function[1] if function else "a function"
    places = [found for one in said for found in CALLED_AT.findall(str(one.message))]
    own = [place for place in places if "/torch/" not in place[0]]
    line = f", called in {own[-1][0]}, line {own[-1][1]}, in {own[-1][2]}" if own else ""
    return f"the gradient of {name} is NaN{line}"


def update_text(name: str, state: State, outputs: Tensor) -> str:
    """Return that the loss or a weight is not finite, with the sizes that led to it."""
    if name == "loss":
        largest = float(outputs.abs().max())
        return (
            f"the loss is not finite, and the outputs are (largest {largest:.3g}): look at the "
            "loss and the targets"
        )
    rate = float(state.optimizer.param_groups[0]["lr"])
    return f"the update made {name} infinite, with a learning rate of {rate:.3g}: try a smaller one"
