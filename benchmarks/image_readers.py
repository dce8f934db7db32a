"""Programs that read the JPEG files of a folder in batches of 224 x 224 for training.

Each has a method ``epoch(folder, workers)`` that reads all files once and returns their number.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import torch

from benchmarks.implementations import absent

BATCH, SIZE = 64, 224
TRAINING, EVALUATION = "training", "evaluation"
OURS = {
    "dlcourse": ("pillow", False),
    "dlcourse, torchvision": ("torchvision", False),
    "dlcourse, torchvision, reduced": ("torchvision", True),
}
"""data.decoder and data.reduced_decode of each way in which dlcourse reads."""
AUGMENTED = "dlcourse, torchvision, augmented"
PEERS = tuple(
    f"{library}, {what}" for library in ("torchvision", "timm") for what in (EVALUATION, TRAINING)
)
"""Other programs; each reads as for training, with random crops and mirroring, or without."""


def reader_with_one_thread(name: str) -> object:
    """Make a reader in a process of its own, as ``make_reader`` does."""
    torch.set_num_threads(1)
    return make_reader(name)


def make_reader(name: str) -> object:
    """Make a reader; raises MissingError if its library is not installed."""
    torch.set_num_threads(1)
    if name in OURS:
        return Ours(*OURS[name])
    if name == AUGMENTED:
        return Augmented("torchvision", False)
    library, what = name.split(", ")
    if find_spec(library) is None:
        raise absent(library)
    return Peer(torchvision_loader if library == "torchvision" else timm_loader, what == TRAINING)


class Ours:
    """dlcourse's images from disk; its batches are uint8."""

    def __init__(self, decoder: str, reduced: bool) -> None:
        self.how = decoder, reduced

    def epoch(self, folder: Path, workers: int) -> int:
        """Read all files once; return their number."""
        split = streamed(folder, workers, *self.how)
        order = torch.randperm(len(split)).split(BATCH)
        return sum(len(self.prepared(inputs)) for inputs, _ in split.batches(order))

    def prepared(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return a batch as it is trained on: as it is."""
        return inputs


class Augmented(Ours):
    """The same, with what the device does otherwise: random crops, mirroring, floats."""

    def prepared(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return a batch as it is trained on: augmented, as floats."""
        from dlcourse.augment.flip import flip
        from dlcourse.augment.resized_crop import resized_crop

        nothing = torch.zeros(len(inputs))
        inputs, _ = resized_crop(inputs, nothing, scale=(0.08, 1), ratio=(3 / 4, 4 / 3))
        inputs, _ = flip(inputs, nothing, probability=0.5)
        return inputs.float() / 255


class Peer:
    """A loader of another library; its batches are augmented floats."""

    def __init__(self, make_loader, training: bool) -> None:
        self.make_loader, self.training = cache(make_loader), training

    def epoch(self, folder: Path, workers: int) -> int:
        """Read all files once; return their number."""
        return sum(len(inputs) for inputs, _ in self.make_loader(folder, workers, self.training))


@cache
def streamed(folder: Path, workers: int, decoder: str, reduced: bool):
    """Return the files of a folder as dlcourse's images that stay on the disk."""
    from dlcourse.data.image_file import Reading
    from dlcourse.data.scan import class_of, list_images
    from dlcourse.data.streamed import ImageFiles, StreamedSplit

    paths = list_images(folder)[0]["train"]
    files = ImageFiles(tuple(map(str, paths)), Reading(SIZE, 3, decoder, reduced), workers)
    return StreamedSplit(files, torch.tensor([class_of(path) == "b" for path in paths]).long())


def torchvision_loader(folder: Path, workers: int, training: bool):
    """Return torchvision's ``ImageFolder`` in PyTorch's ``DataLoader``, as its examples do."""
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    steps = [transforms.Resize(256), transforms.CenterCrop(SIZE)]
    if training:
        steps = [transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip()]
    images = ImageFolder(str(folder), transforms.Compose([*steps, transforms.ToTensor()]))
    several = workers > 0
    return DataLoader(images, BATCH, shuffle=True, num_workers=workers, persistent_workers=several)


def timm_loader(folder: Path, workers: int, training: bool):
    """Return timm's loader without the part that needs a GPU."""
    timm = import_module("timm.data")
    return timm.create_loader(
        timm.ImageDataset(str(folder)), (3, SIZE, SIZE), BATCH,
        is_training=training, use_prefetcher=False, color_jitter=None, interpolation="bilinear",
        num_workers=workers, persistent_workers=workers > 0,
    )  # fmt: skip


def memory_of_tree(process: int) -> int:
    """Return the memory of a process and those it started, in bytes; 0 where it is not known.

    Memory that several of them share counts once.
    """
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    own = sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return own + sum(memory_of_tree(int(child)) for child in children)
