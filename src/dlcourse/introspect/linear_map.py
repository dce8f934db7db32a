"""The weights of a model that is one linear map, in the units of the raw data."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dlcourse.core import Dataset, Standardize, Whiten

TOLERANCE = 1e-3  # of the largest output; rounding in TF32 is about this large
EXAMPLES = 4  # at which a map is tested for being linear
MULTIPLES = (1.0, -1.0, 100.0, -100.0)  # multiples of the examples: a kink shows far away


@dataclass(frozen=True)
class LinearWeights:
    """The weights of a linear model, with names, and the true ones where they are known.

    terms: names of the D inputs, or of the powers of a polynomial. outputs: names of the R rows; a
    classifier of two classes has one, the score of the second class minus that of the first.
    weights: (R, D) and bias (R,), float64 on the CPU, for raw inputs. true: the same of the
    function that the targets were generated from; None where it is not known or not linear.
    """

    terms: list[str]
    outputs: list[str]
    weights: Tensor
    bias: Tensor
    true: tuple[Tensor, Tensor] | None = None


def linear_weights(
    model: nn.Module, standardize: Standardize, dataset: Dataset
) -> LinearWeights | None:
    """Return the weights of a model for raw inputs, or None if it is not linear.

    A model is linear if its outputs at some examples, far outside of the data too, are those of a
    matrix and a bias; a polynomial is linear in the powers of its inputs. Models with convolutions
    are not tried. The model's layers are in evaluation mode meanwhile.

    model: on the device of ``standardize``. dataset: provides names, examples and perhaps the true
    function.
    """
    modes = [(layer, layer.training) for layer in model.modules()]
    model.eval()
    try:
        found = raw_weights(model, standardize, dataset)
    finally:
        for layer, training in modes:
            layer.training = training
    if found is None:
        return None
    (weights, bias), terms = found
    rows = list(dataset.classes) or [f"t{number}" for number in range(1, len(bias) + 1)]
    if len(dataset.classes) == 2 and dataset.task == "classification":
        rows = [f"{dataset.classes[1]} against {dataset.classes[0]}"]
        weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
    return LinearWeights(terms, rows, weights, bias, true_weights(dataset))


def raw_weights(
    model: nn.Module, standardize: Standardize, dataset: Dataset
) -> tuple[tuple[Tensor, Tensor], list[str]] | None:
    """Return the matrix and the bias of a linear model or a polynomial, and the names of its terms.

    None for any other model.
    """
    features = feature_names(dataset)
    shape, of_model = dataset.input_shape, getattr(model, "coefficients", None)
    if of_model is not None:
        if len(shape) != 1 or isinstance(standardize, Whiten):
            return None
        with torch.no_grad():
            rows = of_model(standardize.mean, standardize.scale)  # (K, 1 + D M)
        powers = (rows.shape[1] - 1) // len(features)
        names = [power_name(name, m) for name in features for m in range(1, powers + 1)]
        return (rows[:, 1:], rows[:, 0]), names
    if any(isinstance(layer, nn.modules.conv._ConvNd) for layer in model.modules()):
        return None
    first = torch.arange(min(EXAMPLES, len(dataset.test)), device=dataset.test.device)
    ((examples, _),) = dataset.test.batches([first])
    examples = standardize(examples.to(standardize.mean.device))
    found = linear_map(model.forward, examples)  # not compiled: its shape is new
    if found is None:
        return None
    return for_raw_inputs(*found, standardize, shape), features


def linear_map(
    function: Callable[[Tensor], Tensor], examples: Tensor
) -> tuple[Tensor, Tensor] | None:
    """Return the matrix (K, D) and the bias (K,) of a linear function, or None if it is not linear.

    function: inputs (N, ...) -> outputs (N, K), differentiable. examples: (N, ...), at multiples of
    which it is tested. The results are float64 on the CPU.
    """
    with torch.no_grad():
        far = torch.cat([examples * factor for factor in MULTIPLES])
        outputs = function(far).cpu().double()  # (4 N, K)
        middle = function(torch.zeros_like(examples[:1])).cpu().double()
        near, minus, *further = outputs.chunk(len(MULTIPLES))
        scale = float(outputs.abs().max().clamp(min=1e-30))
        for one, other in ((near, minus), further):
            if not float((one + other - 2 * middle).abs().max()) <= TOLERANCE * scale:
                return None
    with torch.enable_grad():
        origin = torch.zeros_like(examples[:1]).requires_grad_()
        bias = function(origin)[0]  # (K,)
        if not bias.requires_grad:
            return None
        rows = [
            torch.autograd.grad(one, origin, retain_graph=True, materialize_grads=True)[0]
            for one in bias
        ]
    weights = torch.stack([row.flatten() for row in rows]).cpu().double()  # (K, D)
    expected = far.flatten(1).cpu().double() @ weights.T + bias.detach().cpu().double()
    if not float((outputs - expected).abs().max()) <= TOLERANCE * scale:
        return None
    return weights, bias.detach().cpu().double()


def for_raw_inputs(
    weights: Tensor, bias: Tensor, standardize: Standardize, shape: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Return the matrix (K, D) and the bias (K,) for raw inputs of a map of standardised ones."""
    mean = standardize.mean.cpu().double().expand(shape).flatten()  # (D,)
    scale = standardize.scale.cpu().double()
    if isinstance(standardize, Whiten):
        weights = weights @ scale.T
    else:
        weights = weights * scale.expand(shape).flatten()
    return weights, bias - weights @ mean


def true_weights(dataset: Dataset) -> tuple[Tensor, Tensor] | None:
    """Return matrix and bias of the function that the targets come from, if known and linear."""
    if dataset.truth is None:
        return None
    return linear_map(dataset.truth, dataset.test.inputs[:EXAMPLES].double())


def feature_names(dataset: Dataset) -> list[str]:
    """Return the names of a table's features: its columns, or x1, x2 ...; x for a single one."""
    if dataset.features:
        return list(dataset.features)
    size = 1
    for side in dataset.input_shape:
        size *= side
    return ["x"] if size == 1 else [f"x{number}" for number in range(1, size + 1)]


def power_name(name: str, power: int) -> str:
    """Return ``x^2``, and ``x`` for the first power."""
    return name if power == 1 else f"{name}^{power}"
