"""Apply hand-made 3 x 3 kernels to an image, by a real convolution.

    dlcourse show what=kernels
    dlcourse show what=kernels data=cifar10 image=3,7 kernel=sharpen,edge
    dlcourse show what=kernels file=photo.jpg

image: numbers of training examples, from 0. file: an image file in place of the data set. kernel:
sharpen, emboss, blur, edge; all of them by default. All other options are those of a run, of which
only the data count. Values outside of 0 to 255 are cut off for display; their range is printed.

Writes kernels.png into a new folder below outputs/show/.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.errors import UserError, nearest
from dlcourse.preview.output import new_folder, save_shown
from dlcourse.schema.arguments import numbers_argument
from dlcourse.schema.command_line import one_run
from dlcourse.schema.compose import compose_with_choices
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    from torch import Tensor

OPTIONS = {"image": "0", "file": "", "kernel": ""}
MOST_IMAGE_ROWS = 12
LONGEST_SIDE = 512  # pixels; a larger file is reduced


def show(options: Mapping[str, str], rest: Sequence[str], command: str) -> None:
    """Read the images, filter them, draw the grid and print the range of each result."""
    config, choices = compose_with_choices(*one_run(rest, "kernels on an image"))
    with working("importing PyTorch and reading the image", plain=False):
        from dlcourse.drawing.image_grid import draw_image_grid
        from dlcourse.layer.convolution import filter_images
        from dlcourse.layer.kernels import KERNELS
    names = options["kernel"].strip("[]").split(",") if options["kernel"] else [*KERNELS]
    for name in names:
        if name not in KERNELS:
            raise UserError(
                f"kernel={name} is not known; {nearest(name, KERNELS)}.\n"
                f"Type kernel={','.join(KERNELS)}"
            )
    images = [read_file(options["file"])] if options["file"] else examples(options, config, choices)
    cells, labels = [], []
    for number, (title, image) in enumerate(images):
        cells.append(pixels_shown(image))
        labels.append(title)
        for name in names:
            found = filter_images(image[None], KERNELS[name])[0]
            print(f"{title}, {name}: {float(found.min()):.0f} to {float(found.max()):.0f}")
            cells.append(pixels_shown(found))
            labels.append(f"{name}\n{weights_text(KERNELS[name])}" if number == 0 else name)
    side = max(image.shape[-1] for _, image in images)
    figure = draw_image_grid(
        cells, labels, columns=len(names) + 1, title="Hand-made 3 x 3 kernels",
        cell=1.6 if side <= 64 else 2.6, limits=(0.0, 1.0),
    )  # fmt: skip
    source = Path(options["file"]).stem if options["file"] else choices["data"]
    save_shown({"kernels": figure}, new_folder(f"kernels_{source}"))


def examples(
    options: Mapping[str, str], config: dict, choices: Mapping[str, str]
) -> list[tuple[str, "Tensor"]]:
    """Return the chosen training images (C, H, W), from 0 to 255, each with its name."""
    from dlcourse.engine.datasets import load_data

    numbers = numbers_argument(options, "image")
    dataset = load_data(config)
    if len(dataset.input_shape) != 3:
        raise UserError(
            f"data={choices['data']} has no images.\nType data=digits or another data set of images"
        )
    last = len(dataset.train) - 1
    if len(numbers) > MOST_IMAGE_ROWS or any(n != int(n) or not 0 <= n <= last for n in numbers):
        raise UserError(
            f"image={options['image']} is not allowed: it takes up to {MOST_IMAGE_ROWS} whole "
            f"numbers from 0 to {last}.\nType image=0"
        )
    import torch

    ((inputs, _),) = dataset.train.batches([torch.tensor([int(n) for n in numbers])])
    return [
        (f"{choices['data']} {int(n)}", one.float()) for n, one in zip(numbers, inputs, strict=True)
    ]


def read_file(name: str) -> tuple[str, "Tensor"]:
    """Return an image file (C, H, W), from 0 to 255, with its name; raises UserError."""
    import numpy as np
    import torch
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(name) as opened:
            image = opened.convert("L" if opened.mode in ("1", "L") else "RGB")
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise UserError(f"file={name} cannot be read as an image: {error}") from error
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    pixels = torch.from_numpy(np.array(image, dtype=np.float32))
    return Path(name).name, pixels[None] if pixels.dim() == 2 else pixels.permute(2, 0, 1)


def pixels_shown(image: "Tensor"):
    """Return an image (C, H, W) as an array for the plot: (H, W) or (H, W, 3), from 0 to 1."""
    array = (image.clamp(0, 255) / 255).permute(1, 2, 0).numpy()
    return array[..., 0] if array.shape[-1] == 1 else array


def weights_text(kernel: "Tensor") -> str:
    """Return the weights of a kernel in rows: whole numbers, or fractions of their sum."""
    if not (kernel == kernel.round()).all():
        return "\n".join("  ".join(f"1/{1 / float(w):.0f}" for w in row) for row in kernel)
    return "\n".join("  ".join(f"{int(w):>2}" for w in row) for row in kernel)
