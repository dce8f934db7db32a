"""Train torchvision's ResNet-18 in a plain PyTorch loop, as a baseline for dlcourse's runs.

    python benchmarks/bare_resnet.py folder=<images> [epochs=3] [lr=0.1] [batch_size=128] [seed=0]

``folder`` has train/ and test/, each with one folder of 32 x 32 images per class. The training is
that of `python train.py data=image_folder 'augment=[crop_flip]' optim=nesterov schedule=cosine`,
with torch and torchvision only. Prints the test accuracy and the seconds of every epoch.
"""

import clone  # noqa: F401  (finds src/)

import math
import sys
import time
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.schema.arguments import arguments, number_argument, whole_number_argument
from dlcourse.schema.bounds import SEED, positive, whole_number
from dlcourse.terminal.command import one_message

SIDE, SHIFT = 32, 4  # pixels: the side of an image, and the largest shift


def main() -> None:
    """Read the options and the images, train, and test after every epoch."""
    defaults = {"folder": None, "epochs": "3", "lr": "0.1", "batch_size": "128", "seed": "0"}
    settings = arguments(sys.argv[1:], defaults, __doc__)
    epochs = whole_number_argument(settings, "epochs", whole_number(1, 100_000, 3))
    batch_size = whole_number_argument(settings, "batch_size", whole_number(1, 100_000, 128))
    rate, seed = (
        number_argument(settings, "lr", positive(0.1)),
        whole_number_argument(settings, "seed", SEED),
    )

    import torch
    from torch.nn import functional as F
    from torchvision.models import resnet18

    torch.manual_seed(seed)
    (inputs, targets), (test_inputs, test_targets) = (
        read(Path(settings["folder"]) / part) for part in ("train", "test")
    )
    mean, std = inputs.mean((0, 2, 3), keepdim=True), inputs.std((0, 2, 3), keepdim=True)
    inputs, test_inputs = (inputs - mean) / std, (test_inputs - mean) / std
    model = resnet18(num_classes=int(targets.max()) + 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, nesterov=True)
    steps = math.ceil(len(inputs) / batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps * epochs)
    for epoch in range(epochs):
        started = time.perf_counter()
        model.train()
        for index in torch.randperm(len(inputs)).split(batch_size):
            batch = F.pad(inputs[index], [SHIFT] * 4)
            # one shift and one flip for the batch
            row, column = torch.randint(2 * SHIFT + 1, (2,)).tolist()
            batch = batch[:, :, row : row + SIDE, column : column + SIDE]
            batch = batch.flip(-1) if torch.rand(()) < 0.5 else batch
            optimizer.zero_grad()
            F.cross_entropy(model(batch), targets[index]).backward()
            optimizer.step()
            schedule.step()
        seconds = time.perf_counter() - started
        model.eval()
        with torch.no_grad():
            hits = sum(
                (model(test_inputs[index]).argmax(1) == test_targets[index]).sum().item()
                for index in torch.arange(len(test_inputs)).split(512)
            )
        print(f"epoch {epoch + 1}/{epochs}  test/accuracy {hits / len(test_inputs):.4f}  "
              f"{seconds:.0f} s", flush=True)  # fmt: skip


def read(folder: Path):
    """Return the images (N, 3, 32, 32) of a folder as floats and their classes (N,).

    Raises UserError for a folder without such images.
    """
    import torch
    from torchvision.datasets import ImageFolder
    from torchvision.transforms.functional import pil_to_tensor

    try:
        inputs, targets = zip(*ImageFolder(folder, transform=pil_to_tensor), strict=True)
    except OSError as error:  # also for a class without images, and for a damaged image
        raise UserError(
            f"{folder} does not have a folder of images for each class: "
            f"{error.strerror or error}.\n"
            "Type folder=<a folder with train/ and test/>"
        ) from error
    sizes = {tuple(image.shape[1:]) for image in inputs} - {(SIDE, SIDE)}
    if sizes:
        height, width = min(sizes)
        raise UserError(f"{folder} has images of {height} x {width}, and not {SIDE} x {SIDE}.")
    return torch.stack(inputs).float(), torch.tensor(targets)


if __name__ == "__main__":
    with one_message():
        main()
