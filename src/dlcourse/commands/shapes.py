"""List the layers of a model: shapes, parameters, multiply-adds, receptive fields, memory.

    dlcourse shapes model=vgg16 data=cifar10 batch_size=128
    dlcourse shapes --config-dir my_configs model=wide

Takes the options of a run and trains nothing. It needs neither the data nor memory for the
weights: the model runs on one fake example. Multiply-adds are counted in matrix products,
convolutions and attention. The field is the size in pixels of the part of the image that a unit
depends on, along rows and columns; the jump is the distance between the fields of neighbouring
units. Where paths join, the field covers all of them. After a linear layer, attention or a gate
over the whole image there is none. The memory of a layer is the size of its output for one example.
Every value counts 4 bytes, as in fp32.

With optim.layer_decay below 1 the rate of a layer is its factor of optim.lr.
"""

import math
import sys
from functools import partial

from rich.console import Console
from rich.table import Table

from dlcourse.schema.command_line import one_run
from dlcourse.schema.compose import compose_checked
from dlcourse.schema.facts import (
    example_shape,
    examples_of,
    fact,
    training_share,
    with_random_weights,
)
from dlcourse.schema.validate import NOT_ARGUMENTS
from dlcourse.terminal.live_line import working

POOLED_FIRST = (
    "max pooling is computed before the ReLU above it, which gives the same values and takes less "
    "time and memory:"
)


def main(args: list[str]) -> None:
    """Compose and check the config, run the model on a fake example, print its layers."""
    overrides, config_dir = one_run(args, "shapes")
    config = compose_checked(overrides, config_dir)
    config["model"] = with_random_weights(config["model"])  # their values change nothing here

    with working("importing PyTorch", plain=False):
        from dlcourse.engine.datasets import load_data
        from dlcourse.engine.instantiate import build
        from dlcourse.introspect.summary import made_without_values, state_bytes, summarize_model
        from dlcourse.optim.layer_decay import layer_factors

    known, examples = example_shape(config), examples_of(config)
    if known is None or (examples is None and config["batch_size"] == "full"):
        dataset = load_data(config)
        known, examples = (dataset.input_shape, dataset.output_size), len(dataset.train)
    make = partial(build(config["model"]), *known)
    summary = summarize_model(lambda: frozen(make(), config), known[0])
    state = state_bytes(lambda model: optimizer_of(model, config), make)
    batch = config["batch_size"]
    if batch == "full":
        assert examples is not None
        batch = training_share(config, examples)
    console = Console(width=None if sys.stdout.isatty() else 130)
    decay = config["optim"]["layer_decay"]
    factors = layer_factors(made_without_values(make), decay) if decay != 1 else {}
    console.print(table_of(summary.layers, factors))
    for line in totals(summary, config, known, batch, state):
        console.print(line, highlight=False, soft_wrap=True)


def optimizer_of(model, config: dict):
    """Return the optimizer of the trainable parameters."""
    from dlcourse.engine.instantiate import build
    from dlcourse.optim.groups import parameter_groups

    groups = parameter_groups(model, 0.0, False, {}, config["optim"]["freeze"])
    return build(config["optim"], *NOT_ARGUMENTS["optim"])(groups)


def frozen(model, config: dict):
    """Return the model with the parameters of ``optim.freeze`` frozen."""
    optimizer_of(model, config)
    return model


def table_of(layers: list, factors: dict[str, float]) -> Table:
    """Return a table with a row for each layer, and the sums below.

    factors: of the learning rate, of every parameter by name; empty for no such column.
    """
    table = Table(show_footer=True)
    sums = {
        "parameters": sum(layer.parameters for layer in layers),
        "multiply-adds": sum(layer.multiply_adds for layer in layers),
        "memory": sum(layer.activation for layer in layers),
    }
    table.add_column("layer", footer=f"{len(layers)} layers", overflow="fold")
    table.add_column("kind", overflow="fold")
    table.add_column("output", justify="right")
    table.add_column("parameters", f"{sums['parameters']:,}", justify="right")
    table.add_column("multiply-adds", f"{sums['multiply-adds']:,}", justify="right")
    table.add_column("field", justify="right")
    table.add_column("jump", justify="right")
    table.add_column("memory", in_bytes(sums["memory"]), justify="right")
    if factors:
        table.add_column("rate", justify="right")
    for layer in layers:
        table.add_row(
            layer.name or "(itself)",
            layer.kind,
            " x ".join(map(str, layer.output)) or "does not run",
            f"{layer.parameters:,}" if layer.parameters else "",
            f"{layer.multiply_adds:,}" if layer.multiply_adds else "",
            along_sides(layer.seen, "size"),
            along_sides(layer.seen, "jump"),
            in_bytes(layer.activation) if layer.activation else "",
            *([rate_of(layer.name, factors)] if factors else []),
        )
    return table


def rate_of(layer: str, factors: dict[str, float]) -> str:
    """Return the factor of the rate of a layer's own parameters; empty if it has none."""
    own = [rate for name, rate in factors.items() if name.rpartition(".")[0] == layer]
    return f"{own[0]:.3g}" if own else ""


def along_sides(seen: tuple | None, what: str) -> str:
    """Return the size or jump of a receptive field, one number if rows and columns agree."""
    if seen is None:
        return "-"
    rows, columns = (getattr(field, what) for field in seen)
    return str(rows) if rows == columns else f"{rows} x {columns}"


def totals(summary, config: dict, known: tuple, batch: int, state: int | None) -> list[str]:
    """Return the lines below the table: parameters, multiply-adds, and memory of a batch.

    summary: from ``summarize_model``. known: the input shape and the number of outputs.
    state: bytes of the optimizer's state; None if unknown.
    """
    shape, outputs = known
    name = config["model"]["_target_"].rpartition(".")[2]
    learn = summary.gradients // 4
    piece = math.ceil(batch / config["accumulate"])
    pieces = "" if piece == batch else f" in pieces of {piece:,}"
    copies = "average.none" not in config["average"]["_target_"]
    averaged = summary.weights if copies or fact(config["optim"], "own_average") else 0
    forward = summary.weights + batch * summary.forward
    training = summary.weights + summary.gradients + (state or 0) + averaged + piece * summary.saved
    optimizer = config["optim"]["_target_"].rpartition(".")[2]
    held = (
        "the optimizer's state is not known" if state is None else f"{optimizer} {in_bytes(state)}"
    )
    fields = [layer.seen for layer in summary.layers if layer.seen is not None]
    largest = max(fields, key=lambda seen: seen[0].size, default=None)
    return [
        f"{name}: {' x '.join(map(str, shape))} in, {outputs} out",
        f"{summary.parameters:,} parameters, of which {learn:,} learn",
        f"{summary.multiply_adds:,} multiply-adds forward for one example",
        *([f"largest receptive field: {along_sides(largest, 'size')} pixels"] if largest else []),
        *([POOLED_FIRST] if summary.swaps else []),
        f"memory for a batch of {batch:,} in use: {in_bytes(forward)} = weights "
        f"{in_bytes(summary.weights)} + {batch:,} x {in_bytes(summary.forward)} alive at once",
        f"memory for a batch of {batch:,}{pieces} in training: {in_bytes(training)} = weights "
        f"{in_bytes(summary.weights)} + gradients {in_bytes(summary.gradients)} + {held}"
        + (f" + averaged weights {in_bytes(averaged)}" if averaged else "")
        + f" + {piece:,} x {in_bytes(summary.saved)} kept for backward",
        "Workspaces of the libraries, the gradients on their way, and the data set come on top.",
    ]


def in_bytes(number: float) -> str:
    """Return a number of bytes in B, KiB, MiB or GiB."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1024
    return f"{number:.1f} GiB"
