"""Draw augmented training examples as a contact sheet, without training.

    dlcourse show data=cifar10 'augment=[crop,flip]' [examples=6] [draws=8]

All other options are those of a run, --config-dir included. A row is one example: first unchanged,
then after each of ``draws`` independent augmentations, in a batch with others as in training. Below
it is its class, or the shares of mixed classes. seed= chooses the examples and the draws. A table
of one or two features is drawn as points, 500 by default, with a panel for each draw. Of your own
table (data=csv, data=parquet) it lists the columns: how each is read and which features it becomes.

Writes contact_sheet.png and an image for TensorBoard into a new folder below outputs/show/.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from dlcourse.errors import UserError
from dlcourse.preview.output import new_folder
from dlcourse.schema.arguments import whole_number_argument
from dlcourse.schema.bounds import whole_number
from dlcourse.schema.command_line import one_run
from dlcourse.schema.compose import compose_with_choices
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OPTIONS = {"examples": "", "draws": "8"}

IMAGE_COUNTS, POINT_COUNTS = (
    (6, 30),
    (500, 100_000),
)  # number of examples: the default, and the largest
MOST_DRAWS = 30
MAX_COMMAND_LENGTH = 2000  # characters of the command that are shown


def show(options: Mapping[str, str], rest: Sequence[str], command: str) -> None:
    """Load the data, draw the sheet, and write it."""
    draws = whole_number_argument(options, "draws", whole_number(1, MOST_DRAWS, 8))
    config, choices = compose_with_choices(*one_run(rest, "a contact sheet"))

    with working("importing PyTorch and reading the data", plain=False):
        from dlcourse.engine.augmented import augmented_batches
        from dlcourse.engine.datasets import load_data
        from dlcourse.preview.columns import columns_table

        dataset = load_data(config)
    shape = dataset.input_shape
    if dataset.encoding is not None:
        Console(width=None if sys.stdout.isatty() else 130).print(columns_table(dataset))
        if shape[0] > 2:
            return
    if len(shape) != 3 and shape[0] > 2:
        raise UserError(
            f"data={choices['data']} is a table of {shape[0]} features, which cannot be "
            "drawn.\nType data=moons, data=sine or a data set of images"
        )
    default, most = IMAGE_COUNTS if len(shape) == 3 else POINT_COUNTS
    default = min(default, len(dataset.train))
    options = {**options, "examples": options["examples"] or str(default)}
    examples = whole_number_argument(options, "examples", whole_number(1, most, 6))
    batches = [
        (inputs.numpy(), targets.numpy())
        for inputs, targets in augmented_batches(config, dataset, examples, draws)
    ]

    from dlcourse.drawing.augmented import draw_augmented_images, draw_augmented_points
    from dlcourse.drawing.text import class_labels, fonts_for, shortened, value_label

    draw = draw_augmented_images if len(shape) == 3 else draw_augmented_points
    with fonts_for([*dataset.classes, command]):
        labels, note = class_labels(dataset.classes)
        short = [shortened(label, 16) for label in labels]
        figure = draw(batches, short, value_label(command, MAX_COMMAND_LENGTH))
        place = write_sheet(figure, f"{choices['data']}_{'-'.join(config['augment']) or 'none'}")
    if note:
        both = zip(labels, dataset.classes, strict=True)
        unlike = [(label, name) for label, name in both if label.startswith("class ")]
        print("Without a font: " + ", ".join(f"{label} is {name}" for label, name in unlike))
    print(f"The contact sheet is in {place}")


def write_sheet(figure: "Figure", name: str) -> str:
    """Write a figure as PNG and for TensorBoard into a new folder; return the path of the PNG."""
    from torch.utils.tensorboard import SummaryWriter

    folder = new_folder(name)
    figure.savefig(folder / "contact_sheet.png")
    with SummaryWriter(str(folder / "tensorboard")) as writer:
        writer.add_figure("contact_sheet", figure, close=False)
    return os.fspath(folder / "contact_sheet.png")
