"""Draw augmented training examples as a contact sheet, without training.

    dlcourse show data=cifar10 'augment=[crop,flip]' [examples=6] [draws=8]

All other options are those of a run, --config-dir included. A row is one example: first unchanged,
then after each of ``draws`` independent augmentations, in a batch with others as in training. Below
it is its class, or the shares of mixed classes. seed= chooses the examples and the draws. A table
of one or two features is drawn as points, 500 by default, with a panel for each draw.

Writes contact_sheet.png and an image for TensorBoard into a new folder below outputs/show/.
"""

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from dlcourse.drawing.text import LITERAL, class_labels, fonts_for, shortened, value_label
from dlcourse.errors import UserError
from dlcourse.schema.arguments import arguments, whole_number_argument
from dlcourse.schema.bounds import whole_number
from dlcourse.schema.command_line import one_run
from dlcourse.terminal.command import own_name
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from dlcourse.core import Dataset

    Batch = tuple[Tensor, Tensor]

LARGEST_BATCH = 512  # batch_size=full would be slow and is augmented in the same way
IMAGES, POINTS = (6, 30), (500, 100_000)  # number of examples: the default, and the largest
MOST_DRAWS = 30
MAX_COMMAND_LENGTH = 2000  # characters of the command that are shown
DOTS = 150  # per inch


def main(args: list[str]) -> None:
    """Load the data, draw the sheet, and write it."""
    own, overrides, config_dir = sort_arguments(args)
    options = arguments(own, {"examples": "", "draws": "8"}, __doc__)
    draws = whole_number_argument(options, "draws", whole_number(1, MOST_DRAWS, 8))
    config, choices = composed(overrides, config_dir)

    with working("importing PyTorch and reading the data", plain=False):
        from dlcourse.engine.datasets import load_data

        dataset = load_data(config)
    shape = dataset.input_shape
    if len(shape) != 3 and shape[0] > 2:
        raise UserError(
            f"data={choices['data']} is a table of {shape[0]} features, which cannot be "
            "drawn.\nType data=moons, data=sine or a data set of images"
        )
    default, most = IMAGES if len(shape) == 3 else POINTS
    default = min(default, len(dataset.train))
    options["examples"] = options["examples"] or str(default)
    examples = whole_number_argument(options, "examples", whole_number(1, most, 6))
    batches = list(augmented_batches(config, dataset, examples, draws))
    command = " ".join([own_name("show"), *map(shlex.quote, args)])
    sheet = draw_images if len(shape) == 3 else draw_points
    names = "-".join(config["augment"]) or "none"
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    with fonts_for([*dataset.classes, command]):
        labels, note = class_labels(dataset.classes)
        short = [shortened(label, 16) for label in labels]
        figure = sheet(batches, short, value_label(command, MAX_COMMAND_LENGTH))
        place = write_sheet(figure, f"{now}-{choices['data']}_{names}"[:200])
    if note:
        both = zip(labels, dataset.classes, strict=True)
        unlike = [(label, name) for label, name in both if label.startswith("class ")]
        print("Without a font: " + ", ".join(f"{label} is {name}" for label, name in unlike))
    print(f"The contact sheet is in {place}")


def sort_arguments(typed: list[str]) -> tuple[list[str], list[str], str | None]:
    """Return the options of the sheet, the overrides of the run, and ``--config-dir`` or None."""
    names = ("examples", "draws", "-h", "--help")
    own = [arg for arg in typed if arg.partition("=")[0] in names]
    rest = [arg for arg in typed if arg not in own]
    return own, *one_run(rest, "a contact sheet")


def composed(overrides: list[str], config_dir: str | None) -> tuple[dict, Mapping[str, str]]:
    """Return the checked config of a run with these overrides, and the choice of each group."""
    from dlcourse.cli import check_config_dir
    from dlcourse.schema.compose import compose_job, without_hydra
    from dlcourse.schema.validate import check

    check_config_dir(config_dir)
    composed_job = compose_job(overrides, config_dir)
    config = without_hydra(composed_job)
    check(config)
    return config, composed_job.hydra.runtime.choices


def augmented_batches(
    config: dict, dataset: "Dataset", examples: int, draws: int
) -> Iterator["Batch"]:
    """Yield batches of some examples: unchanged, then augmented once for each draw.

    A batch is inputs, (N, C, H, W) or (N, D), and targets. Raises UserError if there are fewer than
    ``examples``.
    """
    import torch

    from dlcourse.data.transforms import standardize
    from dlcourse.engine.assemble import with_keywords
    from dlcourse.engine.instantiate import build
    from dlcourse.permutations import random_order, stratified_order
    from dlcourse.random_streams import Purpose
    from dlcourse.train.rng import reseed

    train = dataset.train
    if examples > len(train):
        raise UserError(
            f"examples={examples} is more than the {len(train)} training examples there are.\n"
            f"Type examples={len(train)} or less"
        )
    order = (
        stratified_order(train.targets, config["seed"], Purpose.SHOWN)
        if dataset.classes and not train.targets.is_floating_point()
        else random_order(len(train), config["seed"], Purpose.SHOWN)
    )
    size = (
        LARGEST_BATCH
        if config["batch_size"] == "full"
        else min(config["batch_size"], LARGEST_BATCH)
    )
    index = order[: max(size, examples)]
    ((inputs, targets),) = train.batches([index])
    yield inputs[:examples], targets[:examples]
    mean = standardize(train, config["data"]["standardize"]).mean if config["augment"] else None
    augmentations = [
        with_keywords(build(node), dataset, config["seed"], mean)
        for node in config["augment"].values()
    ]
    reseed(config["seed"], 0)
    with torch.no_grad():
        for epoch in range(draws):
            changed = inputs, targets
            for augment in augmentations:
                changed = augment(*changed, index, torch.tensor(epoch))
            yield changed[0][:examples], changed[1][:examples]


def draw_images(batches: list["Batch"], classes: Sequence[str], command: str) -> "Figure":
    """Draw a grid of images: a row for each example, a column for each batch, its target below."""
    from matplotlib.figure import Figure

    rows, columns = len(batches[0][0]), len(batches)
    cell = min(max(1.15, batches[0][0].shape[-1] / DOTS), 1.6)  # inches
    title = wrap(command, int(12 * cell * columns) + 4)
    below = 2 if any(target.dim() == 2 for _, target in batches) and classes else 1
    head = 0.4 + 0.17 * len(title)
    width, height = cell * columns + 0.1, (cell + 0.16 * below) * rows + head
    figure = Figure(figsize=(width, height), dpi=DOTS)
    look = {"family": typewriter(), "size": 9, "y": 1 - 0.1 / height, **LITERAL}
    figure.suptitle("\n".join(title), **look)
    grid = figure.subplots(
        rows, columns, squeeze=False,
        gridspec_kw={
            "left": 0.05 / width, "right": 1 - 0.05 / width, "top": 1 - head / height,
            "bottom": 0.16 * below / height, "wspace": 0.06,
            "hspace": 0.06 + 0.17 * below / cell,
        },
    )  # fmt: skip
    for column, (images, targets) in enumerate(batches):
        grid[0, column].set_title(f"draw {column}" if column else "as it is", size=8)
        for axes, image, target in zip(grid[:, column], images, targets, strict=True):
            pixels = image.clamp(0, 255).round().byte().permute(1, 2, 0).squeeze(-1).numpy()
            axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(target_text(target, classes), size=7, labelpad=2, **LITERAL)
            for spine in axes.spines.values():
                spine.set(color="tab:blue" if column == 0 else "0.8", linewidth=1.5 - (column > 0))
    return figure


def typewriter() -> list[str]:
    """Return the font families of the command: monospace, then others for missing characters."""
    from matplotlib import rcParams

    return ["monospace", *rcParams["font.family"]]


def target_text(target: "Tensor", classes: Sequence[str]) -> str:
    """Name a class, the shares of mixed classes, or the values of a regression."""
    if not classes:
        values = target.flatten().tolist()
        return " ".join(f"{value:.3g}" for value in values) if len(values) <= 3 else ""
    if not target.is_floating_point():
        return classes[int(target)]
    shares, numbers = target.topk(min(2, len(target)))
    parts = zip(shares.tolist(), numbers.tolist(), strict=True)
    return "\n".join(
        f"{classes[number]} ({share:.0%})" for share, number in parts if share >= 0.005
    )


def draw_points(batches: list["Batch"], classes: Sequence[str], command: str) -> "Figure":
    """Draw a panel for each batch: two features coloured by target, or one against the target."""
    import torch
    from matplotlib import color_sequences
    from matplotlib.figure import Figure
    from torch.nn import functional as F

    columns = min(3, len(batches))
    rows = -(-len(batches) // columns)
    figure = Figure(figsize=(3 * columns + 0.5, 3 * rows + 0.6), dpi=DOTS, layout="constrained")
    look = {"family": typewriter(), "size": 9, **LITERAL}
    figure.suptitle("\n".join(wrap(command, 36 * columns)), **look)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    palette = torch.tensor(color_sequences["tab10"])
    for number, axes in enumerate(panels.flat):
        if number >= len(batches):
            axes.set_axis_off()
            continue
        features, targets = batches[number]
        values = targets if targets.dim() == 1 else targets[:, -1]
        second = values if features.shape[1] == 1 else features[:, 1]
        color = "tab:blue" if features.shape[1] == 1 else values.numpy()
        if classes:  # mixed classes get a mixed colour
            mixed = targets.is_floating_point()
            shares = targets if mixed else F.one_hot(targets, len(classes)).float()
            color = (shares @ palette[torch.arange(len(classes)) % 10]).clamp(0, 1).numpy()
        axes.scatter(features[:, 0].numpy(), second.numpy(), s=6, c=color)
        axes.set_title(f"draw {number}" if number else "as they are", size=9)
    names = ("x", "t") if features.shape[1] == 1 else ("feature 1", "feature 2")
    figure.supxlabel(names[0], size=9)
    figure.supylabel(names[1], size=9)
    return figure


def write_sheet(figure: "Figure", name: str) -> str:
    """Write a figure as PNG and for TensorBoard into a new folder; return the path of the PNG."""
    from torch.utils.tensorboard import SummaryWriter

    from dlcourse.runs.run_folder import claim

    folder = claim(Path("outputs/show") / name)
    figure.savefig(folder / "contact_sheet.png")
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        writer.add_figure("contact_sheet", figure, close=False)
    return os.fspath(folder / "contact_sheet.png")
