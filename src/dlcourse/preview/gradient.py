"""Show backpropagation through a small network, number by number: every factor of the chain.

    dlcourse show what=gradient
    dlcourse show what=gradient model.activation=relu loss=cross_entropy output=identity targets=1,0
    dlcourse show what=gradient 'model.widths=[1]' depth=9 inputs=0.5 targets=1 weights=1 biases=-.5
    dlcourse show what=gradient 'model.widths=[3]' inputs=1,2 targets=1,0 seed=1

Without options it is a well-known worked example: 2 inputs, 2 hidden and 2 output units with the
sigmoid, and half the squared error. Options of the network: inputs and targets, one example;
weights, layer by layer and unit by unit, or one number for all; biases, one for each unit, for each
layer, or for all; output, the activation of the output units; depth, the number of hidden layers,
each as wide as the first of model.widths. Weights that are not given are the run's initial weights.

All other options are those of a run with model=mlp: model.widths, model.activation, loss, init,
seed. The gradients are computed by the chain rule in double precision and compared with autograd.

Writes gradient.png and gradient.svg into a new folder below outputs/show/: the network with its
numbers, or for more than 6 layers or 4 units in one the norm of the gradient layer by layer.

Reference: Mazur, "A step by step backpropagation example", 2015.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlcourse.errors import UserError
from dlcourse.preview.init import deepened
from dlcourse.preview.output import new_folder, save_shown
from dlcourse.preview.variants import Variant
from dlcourse.schema.arguments import numbers_argument, whole_number_argument
from dlcourse.schema.bounds import whole_number
from dlcourse.schema.command_line import one_run
from dlcourse.schema.compose import compose_with_choices
from dlcourse.schema.facts import fact
from dlcourse.schema.overrides import key_of
from dlcourse.terminal.fitted import print_table
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from dlcourse.introspect.backpropagation import LayerPass

OPTIONS = {
    "inputs": "", "targets": "", "weights": "", "biases": "", "output": "sigmoid", "depth": "",
}  # fmt: skip
MAZURS_NUMBERS = {
    "inputs": [0.05, 0.10],
    "targets": [0.01, 0.99],
    "weights": [0.15, 0.20, 0.25, 0.30, 0.40, 0.45, 0.50, 0.55],
    "biases": [0.35, 0.60],
}
EXAMPLE_OVERRIDES = ("model=mlp", "model.widths=[2]", "model.activation=sigmoid", "loss=mse")
DRAWN_LAYERS, DRAWN_UNITS = 6, 4
PRINTED_LAYERS, PRINTED_UNITS = 100, 16
SIGNIFICANT_DIGITS = 6


def show(options: Mapping[str, str], rest: Sequence[str], command: str) -> None:
    """Compute the factors, print them, compare with autograd, and draw the network."""
    given = {key: numbers_argument(options, key) for key in MAZURS_NUMBERS if options[key]}
    overrides, config_dir = one_run(rest, "a worked example of backpropagation")
    typed = {key_of(text) for text in overrides}
    own = "model" not in typed or "model=mlp" in overrides
    usual = [
        text
        for text in EXAMPLE_OVERRIDES
        if key_of(text) not in typed and (own or text.startswith("loss"))
    ]
    run = Variant("", *compose_with_choices([*usual, *overrides], config_dir))
    if options["depth"]:
        most = whole_number(1, PRINTED_LAYERS, 10)
        run = deepened(run, whole_number_argument(options, "depth", most))
    refuse_other_networks(run)
    inputs, targets = (given.get(key, MAZURS_NUMBERS[key]) for key in ("inputs", "targets"))
    sizes = [len(inputs), *run.config["model"]["widths"], len(targets)]
    if max(sizes) > PRINTED_UNITS:
        raise UserError(
            f"A layer of {max(sizes)} units has too many numbers to print: at most {PRINTED_UNITS} "
            "are allowed.\nType fewer, model.widths=[2]"
        )
    if not typed & {"init", "seed", "model.widths"} and sizes == [2, 2, 2] and not options["depth"]:
        given = MAZURS_NUMBERS | given

    with working("importing PyTorch", plain=False):
        import torch

        from dlcourse.introspect.backpropagation import backpropagate, by_autograd
    weights, biases = parameters_of(run, sizes, given)
    functions = functions_of(run, options["output"], len(weights))
    loss = loss_of_one(run.config, targets)
    point = torch.tensor(inputs, dtype=torch.float64)
    layers, value = backpropagate(weights, biases, functions, point, loss)
    activation = run.config["model"]["activation"]
    print_forward(layers, value, targets, run.choices["loss"])
    print_backward(layers)
    print_weights(layers)
    print_chain(layers)
    exact = by_autograd(weights, biases, functions, point, loss)
    largest = max(
        float((layer.weight_gradient - other).abs().max())
        for layer, other in zip(layers, exact, strict=True)
    )
    print(f"Largest difference from the gradients of autograd: {largest:.1e}.")
    title = (
        f"Backpropagation, {activation} and {options['output']}: "
        f"L = {run.choices['loss']} = {value:.4g}"
    )
    small = len(sizes) <= DRAWN_LAYERS and max(sizes) <= DRAWN_UNITS
    figure = network_of(layers, title) if small else norms_of(layers, title)
    save_shown({"gradient": figure}, new_folder(f"gradient_{activation}"))


def refuse_other_networks(run: Variant) -> None:
    """Raise UserError for a model, a layer or a loss that the worked example does not have."""
    model = run.config["model"]
    if run.choices["model"] != "mlp" or model["norm"] != "none":
        raise UserError(
            f"model={run.choices['model']} with model.norm={model.get('norm', 'none')} is not "
            "shown number by number: only fully connected layers are.\n"
            "Type model=mlp 'model.widths=[2]' model.norm=none"
        )
    if model["activation"].startswith("maxout"):
        raise UserError(
            "model.activation=maxout takes several sums for each unit and is not shown.\n"
            "Type model.activation=relu"
        )
    loss = run.config["loss"]
    if not (fact(loss, "soft_targets") or fact(loss, "task") in ("regression", "any")):
        raise UserError(
            f"loss={run.choices['loss']} takes a class, and the targets are numbers here.\n"
            "Type loss=mse, or loss=cross_entropy with the target as probabilities, targets=0,1"
        )


def parameters_of(
    run: Variant, sizes: Sequence[int], given: Mapping[str, Sequence[float]]
) -> tuple[list["Tensor"], list["Tensor"]]:
    """Return the weights (units, inputs) and the biases (units,) of every layer, in float64."""
    import torch

    from dlcourse.engine.assemble import initialize, make_model
    from dlcourse.engine.instantiate import build
    from dlcourse.train.rng import INITIAL, reseed

    reseed(run.config["seed"], INITIAL)
    model = make_model(run.config["model"], (sizes[0],), sizes[-1])
    initialize(model, build(run.config["init"]), None, run.config["seed"])
    linear = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)]
    weights = [layer.weight.detach().double() for layer in linear]
    biases = [layer.bias.detach().double() for layer in linear]
    units = [len(bias) for bias in biases]
    if "weights" in given:
        each = [weight.numel() for weight in weights]
        flat = spread("weights", given["weights"], sum(each), each)
        weights = [some.view_as(w) for some, w in zip(flat, weights, strict=True)]
    if "biases" in given:
        numbers = list(given["biases"])
        if len(numbers) == len(units):
            numbers = [n for n, count in zip(numbers, units, strict=True) for _ in range(count)]
        biases = spread("biases", numbers, sum(units), units)
    return weights, biases


def spread(key: str, numbers: Sequence[float], count: int, each: Sequence[int]) -> list["Tensor"]:
    """Return numbers as one tensor for each layer; a single number stands for all of them."""
    import torch

    if len(numbers) == 1:
        numbers = [numbers[0]] * count
    if len(numbers) != count:
        layers = f", or {len(each)} (one for each layer)" if key == "biases" else ""
        raise UserError(
            f"{key} has {len(numbers)} numbers, and this network has {count} {key}: "
            f"{' + '.join(map(str, each))}.\nType {count} numbers{layers}, or one for all"
        )
    return list(torch.tensor(numbers, dtype=torch.float64).split(list(each)))


def functions_of(run: Variant, output: str, layers: int) -> list:
    """Return the activation of every layer, in evaluation mode and double precision."""
    from dlcourse.layer.activation import activation_layer

    if output.startswith("maxout"):
        raise UserError("output=maxout is not allowed.\nType output=identity or output=sigmoid")
    names = [run.config["model"]["activation"]] * (layers - 1) + [output]
    return [activation_layer(name).double().eval() for name in names]


def loss_of_one(config: dict, targets: Sequence[float]):
    """Return the run's loss of one example's outputs (K,), with these targets."""
    import torch

    from dlcourse.engine.assemble import plain_loss

    loss = plain_loss(config)
    target = torch.tensor([list(targets)], dtype=torch.float64)
    return lambda outputs: loss(outputs.unsqueeze(0), target)


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table whose columns after the first are aligned to the right."""
    print_table(columns, rows, left=columns[:1], title=title)


def six_digits(number: float) -> str:
    """Return a number with six significant digits."""
    return f"{number:.{SIGNIFICANT_DIGITS}g}"


def print_forward(
    layers: Sequence["LayerPass"], value: float, targets: Sequence[float], loss: str
) -> None:
    """Print the sums and outputs of every unit, and the loss."""
    rows = []
    for number, layer in enumerate(layers, 1):
        for unit in range(len(layer.sums)):
            parts = zip(layer.weight[unit].tolist(), layer.inputs.tolist(), strict=True)
            products = " + ".join(f"{w:.4g} x {x:.4g}" for w, x in parts)
            rows.append([
                f"layer {number}, unit {unit + 1}",
                f"{products} + {float(layer.bias[unit]):.4g}" if len(layer.inputs) <= 4 else "",
                six_digits(float(layer.sums[unit])),
                six_digits(float(layer.outputs[unit])),
                six_digits(float(layer.slopes[unit])),
            ])  # fmt: skip
    print_rows("Forward", ["", "w x + ... + b", "z", "f(z)", "f'(z)"], rows)
    outputs = ", ".join(six_digits(float(output)) for output in layers[-1].outputs)
    goal = ", ".join(f"{target:g}" for target in targets)
    print(f"L = {loss}(outputs {outputs}; targets {goal}) = {six_digits(value)}\n")


def print_backward(layers: Sequence["LayerPass"]) -> None:
    """Print what arrives at every unit from above, and the product with its slope."""
    rows = []
    for number in range(len(layers), 0, -1):
        layer = layers[number - 1]
        for unit in range(len(layer.sums)):
            if number == len(layers):
                chain = "dL/df(z) of the loss"
            elif len(layers[number].deltas) <= 4:
                above = layers[number]
                pairs = zip(above.weight[:, unit].tolist(), above.deltas.tolist(), strict=True)
                chain = " + ".join(f"{w:.4g} x {d:.4g}" for w, d in pairs)
            else:
                chain = ""
            rows.append([
                f"layer {number}, unit {unit + 1}", chain,
                six_digits(float(layer.arriving[unit])), six_digits(float(layer.slopes[unit])),
                six_digits(float(layer.deltas[unit])),
            ])  # fmt: skip
    columns = ["", "sum of w x dL/dz of the layer above", "dL/df(z)", "x f'(z)", "= dL/dz"]
    print_rows("Backward", columns, rows)


def print_weights(layers: Sequence["LayerPass"]) -> None:
    """Print the gradient of every weight as a product of the two ends of its edge."""
    rows = [
        [
            f"layer {number}: {start + 1} -> {end + 1}",
            six_digits(float(layer.weight[end, start])),
            six_digits(float(layer.deltas[end])),
            six_digits(float(layer.inputs[start])),
            six_digits(float(layer.weight_gradient[end, start])),
        ]
        for number, layer in enumerate(layers, 1)
        for end in range(len(layer.deltas))
        for start in range(len(layer.inputs))
    ]
    columns = ["from -> to", "w", "dL/dz of its end", "x its input", "= dL/dw"]
    print_rows("Weights", columns, rows)


def print_chain(layers: Sequence["LayerPass"]) -> None:
    """Print how the norm of dL/dz changes from layer to layer, and the product of the factors."""
    norms = [float(layer.deltas.norm()) for layer in layers]
    if len(norms) < 2 or not norms[-1]:
        return
    rows = []
    for number in range(len(norms), 0, -1):
        factor = (
            norms[number - 1] / norms[number] if number < len(norms) and norms[number] else None
        )
        rows.append([
            f"layer {number}", six_digits(norms[number - 1]),
            "" if factor is None else six_digits(factor), six_digits(norms[number - 1] / norms[-1]),
        ])  # fmt: skip
    print_rows(
        "From the outputs to the inputs",
        ["", "norm of dL/dz", "factor of this layer", "product so far"],
        rows,
    )


def norms_of(layers: Sequence["LayerPass"], title: str) -> "Figure":
    """Return the figure of the gradient's norm in each layer."""
    from dlcourse.drawing.by_layer import draw_by_layer

    norms = [float(layer.deltas.norm()) for layer in layers]
    panels = {"norm of dL/dz": {"": norms}}
    return draw_by_layer(panels, [f"layer {number}" for number in range(1, len(norms) + 1)], title)


def network_of(layers: Sequence["LayerPass"], title: str) -> "Figure":
    """Return the figure of the network with these numbers."""
    from dlcourse.drawing.network import draw_backpropagation

    first = layers[0].weight.T @ layers[0].deltas
    values = [layers[0].inputs, *(layer.outputs for layer in layers)]
    deltas = [first, *(layer.deltas for layer in layers)]
    hidden = [f"layer {number}" for number in range(1, len(layers))]
    return draw_backpropagation(
        [[f"{value:.3g}" for value in some.tolist()] for some in values],
        [layer.weight.numpy() for layer in layers],
        [[f"{value:.2g}" for value in some.tolist()] for some in deltas],
        [layer.weight_gradient.numpy() for layer in layers],
        ["inputs", *hidden, f"layer {len(layers)} (outputs)"],
        title,
    )
