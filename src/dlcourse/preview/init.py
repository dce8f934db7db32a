"""Show how signals and gradients grow or shrink from layer to layer with the initial weights.

    dlcourse show what=init model=mlp 'model.widths=[256]' depth=30 init=he_normal,xavier_normal
    dlcourse show what=init model=resnet20 data=cifar10 model.norm=batch,none
    dlcourse show what=init model=mlp 'model.widths=[100]' depth=30 model.activation=sigmoid,relu

All other options are those of a run; where one has several values, there is a curve for each
combination. The model and its initial weights are the run's own, in training mode. One batch goes
forward, and the gradient of the loss goes back: the plots show the variance of every layer's
outputs before the activation, and of the loss's gradient with respect to them.

inputs: data, the standardised training examples, or normal, standard normal numbers of the same
shape. examples: in the batch. depth: makes model.widths a list of as many hidden layers, each as
wide as its first number.

Writes init.png and init.svg into a new folder below outputs/show/. Nothing is trained.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlcourse.errors import UserError
from dlcourse.preview.output import new_folder, save_shown
from dlcourse.preview.variants import Variant, variants_of
from dlcourse.schema.arguments import choice_argument, whole_number_argument
from dlcourse.schema.bounds import whole_number
from dlcourse.terminal.fitted import print_table, wrap_to_terminal
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    from dlcourse.introspect.signals import LayerSignal

OPTIONS = {"inputs": "data", "examples": "256", "depth": ""}
MOST_CURVES = 8
ROWS_ALONE, ROWS_OF_SEVERAL = 40, 11
"""The most layers of a table, for one network and for several; of deeper ones some are left out."""


def show(options: Mapping[str, str], rest: Sequence[str], command: str) -> None:
    """Measure every run's network, draw the curves and print the numbers."""
    inputs = choice_argument(options, "inputs", ("data", "normal"))
    examples = whole_number_argument(options, "examples", whole_number(2, 100_000, 256))
    runs = variants_of(rest, "a plot of initial weights", MOST_CURVES)
    if options["depth"]:
        depth = whole_number_argument(options, "depth", whole_number(1, 1000, 30))
        runs = [deepened(run, depth) for run in runs]
    found: dict[str, list[LayerSignal]] = {}
    for run in runs:
        with working("importing PyTorch and measuring the layers", plain=False):
            found[run.label] = signals_of(run.config, examples, normal=inputs == "normal")
    if not any(found.values()):
        raise UserError("This model has no layer with weights.\nType another model, model=mlp")

    from dlcourse.drawing.by_layer import draw_by_layer

    panels = {
        "variance of the outputs": {
            name: [layer.variance for layer in layers] for name, layers in found.items()
        },
        "variance of the gradient": {
            name: [layer.gradient for layer in layers] for name, layers in found.items()
        },
    }
    print_signals(found)
    for name, layers in found.items():
        print(wrap_to_terminal(in_words(name, layers)))
    first, *_ = runs
    source = first.choices["data"] if inputs == "data" else "a normal distribution"
    title = f"Initial weights: {first.choices['model']}, inputs from {source}" + (
        f", init={first.choices['init']}" if len(runs) == 1 else ""
    )
    names = [layer.name for layer in next(iter(found.values()))]
    figure = draw_by_layer(panels, names, title)
    save_shown({"init": figure}, new_folder(f"init_{first.choices['model']}"))


def deepened(run: Variant, depth: int) -> Variant:
    """Return a run whose model has ``depth`` hidden layers, as wide as its first one."""
    widths = run.config["model"].get("widths")
    if not isinstance(widths, list) or not widths:
        raise UserError(
            f"depth={depth} is for models with model.widths, and model={run.choices['model']} has "
            "none.\nType model=mlp 'model.widths=[100]'"
        )
    model = run.config["model"] | {"widths": widths[:1] * depth}
    return run._replace(config=run.config | {"model": model})


def signals_of(config: dict, examples: int, *, normal: bool) -> list["LayerSignal"]:
    """Return the layers of a run's new network in one pass over some training examples."""
    import torch

    from dlcourse.core import at_least_float32
    from dlcourse.core.weighted import unweighted
    from dlcourse.engine.assemble import make_recipe, make_state
    from dlcourse.engine.datasets import load_data, make_fold, split_training_data
    from dlcourse.engine.instantiate import build
    from dlcourse.introspect.signals import measure_signals
    from dlcourse.train.rng import epoch_order, reseed
    from dlcourse.train.step import set_train_mode

    runtime = build(config["runtime"])()
    dataset = load_data(config)
    fold = make_fold(config, dataset, split_training_data(config, dataset)[0], runtime)
    state = make_state(config, runtime, dataset, fold)
    recipe = make_recipe(config, runtime, dataset, fold)
    order = epoch_order(len(fold.train), config["seed"], 0)[:examples].to(fold.train.device)
    ((inputs, targets),) = fold.train.batches([order])
    inputs = fold.standardize(inputs)
    reseed(config["seed"], 0)
    if normal:
        inputs = torch.randn(inputs.shape).to(inputs)
    set_train_mode(state.model)
    inputs = recipe.prepare(inputs)

    def loss_of() -> torch.Tensor:
        return unweighted(recipe.loss)(at_least_float32(state.model(inputs)), targets)

    return measure_signals(state.model, loss_of)


def print_signals(found: Mapping[str, Sequence["LayerSignal"]]) -> None:
    """Print a table for each network: a row for each layer."""
    head = ("#", "layer", "kind", "mean", "variance", "largest", "variance of\ngradient")
    for name, layers in found.items():
        rows = []
        every = math.ceil(len(layers) / (ROWS_ALONE if len(found) == 1 else ROWS_OF_SEVERAL))
        for number, layer in enumerate(layers, 1):
            if number % every == 0 or number in (1, len(layers) - 1, len(layers)):
                numbers = (layer.mean, layer.variance, layer.largest, layer.gradient)
                values = (f"{value:.3g}" for value in numbers)
                rows.append((str(number), layer.name, layer.kind, *values))
        print_table(
            head, rows, left=("layer", "kind"), optional=("largest", "kind", "mean"), title=name
        )


def in_words(name: str, layers: Sequence["LayerSignal"]) -> str:
    """Return a sentence on how the variance changes from the first layer to the last hidden one."""
    start = f"{name}: the" if name else "The"
    first, last = layers[0], layers[-2] if len(layers) > 2 else layers[-1]
    if first is last:
        return (
            f"{start} variance of the outputs is {first.variance:.2g}, that of the gradient "
            f"{first.gradient:.2g}."
        )
    number = layers.index(last) + 1
    blocked = [n for n, layer in enumerate(layers, 1) if layer.gradient == 0]
    return (
        f"{start} variance of the outputs is {first.variance:.2g} at layer 1 and "
        f"{last.variance:.2g} at layer {number}; that of the gradient is {last.gradient:.2g} at "
        f"layer {number} and {first.gradient:.2g} at layer 1."
        + (f" No gradient arrives at {len(blocked)} of {len(layers)} layers." if blocked else "")
    )
