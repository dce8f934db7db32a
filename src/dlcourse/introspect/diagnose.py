"""Measure a network between two steps: gradients, weights, activations, sharpness."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.core import Fold, Recipe, State, at_least_float32
from dlcourse.core.weighted import unweighted
from dlcourse.introspect.activations import output_statistics
from dlcourse.introspect.gradients import mean_gradient, signal_and_noise, squared_norm
from dlcourse.introspect.histogram import histogram
from dlcourse.introspect.read_back import read_back, rounded
from dlcourse.introspect.sharpness import largest_eigenvalue
from dlcourse.introspect.spectrum import as_matrix, effective_rank, singular_values, stable_rank
from dlcourse.introspect.undisturbed import undisturbed
from dlcourse.introspect.weighted_layers import WeightedLayer, layer_norms

PARTS = 4  # batches of the probe, whose gradients differ by the gradient noise
SMALLEST_DIVIDED = 16  # examples of a probe that is divided
NEAR_ZERO = 1e-3  # weights of a smaller size count as zero


@dataclass(frozen=True)
class Probe:
    """A fixed batch on which a network is measured: standardised inputs (N, ...), and targets."""

    inputs: Tensor
    targets: Tensor


def make_probe(fold: Fold, recipe: Recipe, examples: int) -> Probe:
    """Return up to ``examples`` training examples, at equal distances, without augmentation.

    A probe of at least 16 examples has a multiple of 4, so that its parts are equal.
    """
    size = min(examples, len(fold.train))
    size -= size % PARTS if size >= SMALLEST_DIVIDED else 0
    index = torch.arange(size) * len(fold.train) // size
    ((inputs, targets),) = fold.train.batches([index.to(fold.train.device)])
    return Probe(recipe.prepare(fold.standardize(inputs)), targets)


def diagnose(
    state: State,
    recipe: Recipe,
    probe: Probe,
    layers: Sequence[WeightedLayer],
    groups: Sequence[str],
    histograms: bool,
    seed: int,
) -> dict[str, Any]:
    """Return the measurements of a network as numbers, ``{"layers": {name: {...}}, ...}``.

    Gradients are of the loss alone, in training mode, in batches of a quarter of the probe;
    activations and the Hessian are in evaluation mode. All numbers are read from the device at
    once. The state is the same to the last bit afterwards.

    groups: some of ``schema.bounds.MEASUREMENTS``; ``updates`` needs the weights of two steps, and
        is in ``update_ratios``.
    seed: of the dropout masks in this measurement, and of the power iteration.
    """
    found: dict[str, Any] = {"layers": {layer.name: {} for layer in layers}}
    with undisturbed(state.model, seed):
        weight_values(found, layers, histograms)
        if "gradients" in groups:
            gradient_values(found, state, recipe, probe, layers)
        state.model.eval()
        if {"activations", "spectrum"} & set(groups):
            activation_values(found, state.model, recipe, probe, layers, groups, histograms)
        if "spectrum" in groups:
            for layer in layers:
                for weight in layer.matrices[:1]:
                    ranks(found["layers"][layer.name], "weight", as_matrix(weight))
        if "sharpness" in groups:
            parameters = [p for layer in layers for p in layer.parameters]
            objective = objective_of(state.model, recipe)
            found["sharpness"] = largest_eigenvalue(
                objective, parameters, probe.inputs, probe.targets, seed
            )
    numbers = read_back(found)
    if "gradients" in groups:
        add_noise(numbers, len(probe.inputs))
    return numbers


def objective_of(model: nn.Module, recipe: Recipe):
    """Return the function (inputs, targets) -> mean loss of a model, without penalties."""

    def objective(inputs: Tensor, targets: Tensor) -> Tensor:
        with recipe.autocast():
            return unweighted(recipe.loss)(at_least_float32(model(inputs)), targets)

    return objective


@torch.no_grad()
def weight_values(found: dict, layers: Sequence[WeightedLayer], histograms: bool) -> None:
    """Add each layer's weight norm and the share of its weights that are nearly 0."""
    parameters = [parameter for layer in layers for parameter in layer.parameters]
    for layer, norm in zip(layers, layer_norms(layers, parameters), strict=True):
        values = found["layers"][layer.name]
        values["weight"] = norm
        for weight in layer.matrices[:1]:
            values["size"] = weight.numel()
            values["sparsity"] = (weight.abs() < NEAR_ZERO).float().mean()
            if histograms:
                values["weight_histogram"] = histogram(weight)


def gradient_values(
    found: dict, state: State, recipe: Recipe, probe: Probe, layers: Sequence[WeightedLayer]
) -> None:
    """Add each layer's gradient norm, and the squared norms that the noise follows from."""
    parameters = [parameter for layer in layers for parameter in layer.parameters]
    loss, scale = objective_of(state.model, recipe), loss_scale(state)
    parts = PARTS if len(probe.inputs) >= SMALLEST_DIVIDED else 1
    mean, squares = mean_gradient(
        lambda inputs, targets: loss(inputs, targets) * scale,
        parameters, probe.inputs, probe.targets, parts,
    )  # fmt: skip
    for layer, norm in zip(layers, layer_norms(layers, mean), strict=True):
        if any(parameter.requires_grad for parameter in layer.parameters):
            found["layers"][layer.name]["gradient"] = norm / scale
    found["gradient_squares"] = [square / scale**2 for square in squares]
    found["gradient"] = squared_norm(mean).sqrt() / scale


def loss_scale(state: State) -> float:
    """Return the factor of the loss with which fp16 keeps small gradients; 1 otherwise."""
    return float(state.scaler.get_scale()) if state.scaler.is_enabled() else 1.0


def add_noise(numbers: dict, examples: int) -> None:
    """Replace the squared norms of the parts by ``signal`` |G|^2 and ``noise`` tr(S)."""
    squares = numbers.pop("gradient_squares")
    if len(squares) > 1:
        signal, noise = signal_and_noise(
            squares, numbers["gradient"] ** 2, examples // len(squares)
        )
        numbers |= {"signal": rounded(signal), "noise": rounded(noise)}


def activation_values(
    found: dict,
    model: nn.Module,
    recipe: Recipe,
    probe: Probe,
    layers: Sequence[WeightedLayer],
    groups: Sequence[str],
    histograms: bool,
) -> None:
    """Add each layer's mean, spread, zeros, dead units and saturation, and their ranks."""

    def run() -> None:
        with recipe.autocast():
            model(probe.inputs)

    for name, units in output_statistics(run, layers, model, histograms).items():
        values = found["layers"][name]
        if "activations" in groups:
            values |= units.values()
            if histograms:
                values["activation_histogram"] = units.counts
        if "spectrum" in groups and units.rows is not None:
            ranks(values, "activation", units.rows - units.rows.mean(0))


@torch.no_grad()
def ranks(values: dict, what: str, matrix: Tensor) -> None:
    """Add the stable and the effective rank of a matrix."""
    found = singular_values(matrix)
    values[f"{what}_stable_rank"] = stable_rank(found)
    values[f"{what}_effective_rank"] = effective_rank(found)


@torch.no_grad()
def update_ratios(
    layers: Sequence[WeightedLayer], before: Sequence[Tensor]
) -> dict[str, float | None]:
    """Return |w' - w| / |w| of each layer; None where the weights w were 0.

    before: a copy of each parameter w from before the step.
    """
    after: list[Tensor] = [parameter for layer in layers for parameter in layer.parameters]
    moved = torch._foreach_sub(after, list(before))  # pyright: ignore[reportPrivateImportUsage]
    changes, norms = layer_norms(layers, moved), layer_norms(layers, before)
    numbers = read_back({"changes": changes, "norms": norms})
    return {
        layer.name: rounded(change / norm) if norm else None
        for layer, change, norm in zip(layers, numbers["changes"], numbers["norms"], strict=True)
    }
