"""The workloads: models, their images, and the number of steps of an epoch."""

from dataclasses import dataclass

from benchmarks.options import Options

BATCH = 128
SHAPES = {"mnist": (1, 28, 28), "cifar": (3, 32, 32)}
SIZES = {"mnist": 60_000, "cifar": 50_000}


@dataclass(frozen=True)
class Workload:
    """A model on images.

    data: ``mnist`` or ``cifar``. model: the overrides that choose it. optim: ``adam`` or
    ``nesterov``. rate: the learning rate. steps: of an epoch, fewer than in a real one to keep
    rounds short. augment: whether images are shifted by up to 4 pixels and flipped at random.
    """

    name: str
    data: str
    model: tuple[str, ...]
    optim: str
    rate: float
    steps: int
    augment: bool = False

    def overrides(self, options: Options) -> list[str]:
        """Return the overrides of ``train.py`` for this workload, with the default validation."""
        return [
            *self.model,
            "data=mnist" if self.data == "mnist" else "data=cifar10",
            f"optim={self.optim}",
            f"optim.lr={self.rate}",
            f"batch_size={BATCH}",
            *(["augment=[crop_flip]"] if self.augment else []),
            "max_epochs=3000",  # long enough that runtime=auto measures its options
            f"runtime.device={options.device}",
            *([f"runtime.threads={options.threads}"] if options.threads else []),
        ]

    def examples(self, options: Options) -> int:
        """Return the number of images of an epoch."""
        return min((options.steps or self.steps) * BATCH, SIZES[self.data])


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("lenet", "mnist", ("model=lenet",), "adam", 0.001, 234),
        Workload("mlp", "mnist", ("model=mlp", "model.widths=[128]"), "adam", 0.001, 468),
        Workload("resnet20", "cifar", ("model=resnet20",), "nesterov", 0.05, 20, augment=True),
        Workload("resnet18", "cifar", ("model=resnet18",), "nesterov", 0.05, 3, augment=True),
        Workload("vit", "cifar", ("model=vit", "model.patch=4"), "adam", 0.001, 8, augment=True),
    )
}

WITHOUT_VALIDATION = ["split.fraction=0", "stop=never", "monitor=train/loss", "mode=min"]


def compose_overrides(overrides: list[str], root: str | None = None):
    """Compose and check a config as the command line does; raises UserError."""
    from dlcourse.schema.compose import compose_job, without_hydra
    from dlcourse.schema.validate import check

    config = without_hydra(compose_job(overrides, None))
    if root:
        config["data"]["root"] = root
    check(config)
    return config


def compose_workload(workload: Workload, options: Options, *overrides: str):
    """Compose the config of a workload with further overrides after its own."""
    return compose_overrides([*workload.overrides(options), *overrides], options.root)


def load_images(workload: Workload, options: Options, examples: int = 0):
    """Return a ``Dataset`` with the images of an epoch, or random images without a folder.

    examples: the number of training images; 0 for the workload's.
    """
    import torch

    from dlcourse.core import Dataset, Split
    from dlcourse.engine.datasets import load_data

    count = examples or workload.examples(options)
    folder = options.root if workload.data == "mnist" else options.cifar
    if not folder:
        generator = torch.Generator().manual_seed(0)
        shape = SHAPES[workload.data]

        def random_split(count: int) -> Split:
            images = torch.randint(256, (count, *shape), dtype=torch.uint8, generator=generator)
            return Split(images, torch.arange(count) % 10)

        return Dataset("random", random_split(count), random_split(500), tuple("0123456789"))
    overrides = ["data=mnist"] if workload.data == "mnist" else ["data=image_folder"]
    dataset = load_data(compose_overrides(overrides, folder))
    order = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(0))
    train = dataset.train.subset(order[:count])  # a folder's images are sorted by class
    return Dataset(dataset.name, train, dataset.test, dataset.classes)
