"""Train torchvision's ResNet-18 by a loop without a framework, to compare real runs with.

    python scripts/bare_resnet.py folder=<pictures> [epochs=3] [lr=0.1] [batch_size=128] [seed=0]

``folder`` has train/ and test/, each with one folder of 32 x 32 pictures per class. Everything is
done as in `python train.py data=image_folder 'augment=[crop_flip]' optim=nesterov schedule=cosine`,
but with torch and torchvision alone. Prints the test accuracy and the seconds of every epoch.
"""

import math
import sys
import time
from pathlib import Path

from dlcourse.command import arguments, one_message


def main() -> None:
    """Read the words and the pictures, train, test after every epoch."""
    defaults = {"folder": None, "epochs": "3", "lr": "0.1", "batch_size": "128", "seed": "0"}
    words = arguments(sys.argv[1:], defaults, __doc__)
    epochs, batch_size = int(words["epochs"]), int(words["batch_size"])

    import torch
    from torch.nn import functional as F
    from torchvision.models import resnet18

    torch.manual_seed(int(words["seed"]))
    (inputs, targets), (test_inputs, test_targets) = (
        read(Path(words["folder"]) / part) for part in ("train", "test")
    )
    mean, std = inputs.mean((0, 2, 3), keepdim=True), inputs.std((0, 2, 3), keepdim=True)
    inputs, test_inputs = (inputs - mean) / std, (test_inputs - mean) / std
    model = resnet18(num_classes=int(targets.max()) + 1)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=float(words["lr"]), momentum=0.9, nesterov=True
    )
    steps = math.ceil(len(inputs) / batch_size)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps * epochs)
    for epoch in range(epochs):
        started = time.perf_counter()
        model.train()
        for index in torch.randperm(len(inputs)).split(batch_size):
            batch = F.pad(inputs[index], [4] * 4)
            row, column = torch.randint(9, (2,)).tolist()  # one shift and one flip for the batch
            batch = batch[:, :, row : row + 32, column : column + 32]
            batch = batch.flip(-1) if torch.rand(()) < 0.5 else batch
            optimizer.zero_grad()
            F.cross_entropy(model(batch), targets[index]).backward()
            optimizer.step()
            rate.step()
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
    """Return the pictures (N, 3, 32, 32) of a folder as floats and their classes (N,)."""
    import torch
    from torchvision.datasets import ImageFolder
    from torchvision.transforms.functional import pil_to_tensor

    pictures = ImageFolder(folder, transform=pil_to_tensor)
    inputs, targets = zip(*pictures, strict=True)
    return torch.stack(inputs).float(), torch.tensor(targets)


if __name__ == "__main__":
    with one_message():
        main()
