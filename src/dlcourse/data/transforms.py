"""The options of every data set: fewer examples, random labels, reconstruction, standardisation."""

import dataclasses

import torch
from torch import Tensor

from dlcourse.core import WHITE, Dataset, Split, Standardize, has_float64
from dlcourse.data.encoding import Encoding
from dlcourse.data.image import CHUNK
from dlcourse.data.impute import needs_own_map, standardize_table
from dlcourse.data.whitening import whiten
from dlcourse.errors import UserError
from dlcourse.multilabel_division import multilabel_order
from dlcourse.permutations import generator, random_order, stratified_order
from dlcourse.random_streams import Purpose

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and standard deviation, RGB


def keep_examples(dataset: Dataset, examples: int, seed: int) -> Dataset:
    """Keep ``examples`` training examples, the same share of every class.

    The test part and a ready-made validation part keep all their examples.

    Raises UserError for more examples than there are, and for fewer than classes.
    """
    available = len(dataset.train) - dataset.ready_val
    if not len(dataset.classes) <= examples <= available:
        raise UserError(
            f"data.examples={examples} cannot be kept of {available} training examples in "
            f"{len(dataset.classes)} classes.\n"
            f"Type a number from {max(len(dataset.classes), 1)} to {available}"
        )
    targets = dataset.train.targets[:available]
    order = order_to_keep(targets, examples, seed, Purpose.KEPT, dataset.task)
    ready = torch.arange(available, len(dataset.train))
    kept = torch.cat([order[:examples].sort().values, ready])
    groups = None if dataset.groups is None else dataset.groups[kept]
    return dataclasses.replace(dataset, train=dataset.train.subset(kept), groups=groups)


def keep_test_examples(dataset: Dataset, examples: int, seed: int) -> Dataset:
    """Keep ``examples`` test examples, the same share of every class.

    They are the same in every run with this seed.

    Raises UserError for more examples than there are, and for fewer than classes.
    """
    available, least = len(dataset.test), max(len(dataset.classes), 1)
    if not least <= examples <= available:
        raise UserError(
            f"data.test_examples={examples} cannot be kept of {available} test examples in "
            f"{len(dataset.classes)} classes.\n"
            f"Type a number from {least} to {available}, or null for all"
        )
    order = order_to_keep(dataset.test.targets, examples, seed, Purpose.KEPT_TEST, dataset.task)
    return dataclasses.replace(dataset, test=dataset.test.subset(order[:examples].sort().values))


def order_to_keep(targets: Tensor, examples: int, seed: int, purpose: Purpose, task: str) -> Tensor:
    """Return a permutation (N,) whose first ``examples`` have the shares of all classes.

    The values of a regression are in random order.
    """
    if task == "multilabel":
        return multilabel_order(targets, examples, seed, purpose)
    if task == "classification":
        return stratified_order(targets, seed, purpose)
    return random_order(len(targets), seed, purpose)


def keep_at_most(dataset: Dataset, examples: int, seed: int) -> Dataset:
    """Keep ``examples`` training and test examples each, or all where there are fewer.

    No class is lost: there are at least as many examples as classes.
    """
    wanted = max(examples, len(dataset.classes), 1)
    train, test = len(dataset.train) - dataset.ready_val, len(dataset.test)
    dataset = keep_examples(dataset, wanted, seed) if train > wanted else dataset
    return keep_test_examples(dataset, wanted, seed) if test > wanted else dataset


def randomize_labels(dataset: Dataset, fraction: float, seed: int) -> Dataset:
    """Replace the labels of a random fraction of the training examples; the test part is unchanged.

    A class becomes any class with equal probability, the true one included; the values of a
    regression, and the classes of an example that can have several, become those of other examples.
    This is done before the validation part is split off and does not depend on the split, so that
    both parts have about the same share of wrong labels.

    Reference: Zhang, Bengio, Hardt, Recht, Vinyals, "Understanding deep learning requires
    rethinking generalization", ICLR 2017.
    """
    train = dataset.train
    draw = generator(seed, Purpose.LABELS)
    chosen = torch.randperm(len(train), generator=draw)[: round(len(train) * fraction)]
    if dataset.task == "classification":
        drawn = torch.randint(len(dataset.classes), (len(chosen),), generator=draw)
    else:
        drawn = train.targets[torch.randint(len(train), (len(chosen),), generator=draw)]
    targets = train.targets.clone()
    targets[chosen] = drawn
    return dataclasses.replace(dataset, train=dataclasses.replace(train, targets=targets))


def reconstruct(dataset: Dataset) -> Dataset:
    """Make every example its own target (N, D): images scaled to [0, 1], features unchanged.

    The data set then has no classes, so that training an autoencoder is a regression.

    Raises UserError for streamed images, because the targets are kept in memory.

    Reference: Bourlard, Kamp, "Auto-association by multilayer perceptrons and singular value
    decomposition", Biological Cybernetics 59, 1988.
    """

    def with_itself(part: Split) -> Split:
        if type(part) is not Split:
            raise UserError(
                "data.reconstruct=true keeps all images in memory, and these are streamed.\n"
                "Type a larger data.memory, or a smaller data.size"
            )
        targets = part.inputs.flatten(1).float()
        white = WHITE if part.inputs.dtype == torch.uint8 else 1.0
        return dataclasses.replace(part, targets=targets / white, contents=None)

    train, test = with_itself(dataset.train), with_itself(dataset.test)
    return dataclasses.replace(dataset, train=train, test=test, classes=(), truth=None)


def standardize(
    train: Split,
    how: str,
    epsilon: float = 0.0,
    dtype: torch.dtype = torch.float32,
    encoding: Encoding | None = None,
) -> Standardize:
    """Compute the map to mean 0 and standard deviation 1 over the given training part.

    how: ``channel``: one mean per channel of images (N, C, H, W), or per feature of (N, D);
        ``pixel``: one per pixel of every channel; ``none``: only scales images to [0, 1]; ``zca``:
        also decorrelates the inputs, see ``whiten``; ``imagenet``: the published statistics of
        ImageNet's channels, with which torchvision's weights were trained.
    epsilon: of ``zca`` alone.
    dtype: of the standardised inputs.
    encoding: of a user's own table, see ``standardize_table``.

    Inputs that never vary are centred and not scaled.
    """
    device = train.device
    if encoding is not None and how != "zca" and needs_own_map(train.inputs, encoding):
        return standardize_table(train, how, encoding, dtype)
    if how == "none":
        scale = 1 / WHITE if train.inputs.dtype == torch.uint8 else 1.0
        # a 0-d float64 tensor would leave float32 features in float32
        zero = torch.zeros(() if dtype == torch.float32 else 1, dtype=dtype, device=device)
        return Standardize(zero, zero + scale)
    if how == "zca":
        return whiten(train, epsilon, dtype)
    if how == "imagenet":
        mean, std = (
            WHITE * torch.tensor(statistics, dtype=dtype, device=device).view(3, 1, 1)
            for statistics in IMAGENET
        )
        grey = train.inputs.shape[1] == 1
        return (
            Standardize(mean.mean(0, keepdim=True), 1 / std.mean(0, keepdim=True))
            if grey
            else (Standardize(mean, 1 / std))
        )
    over = (0, 2, 3) if how == "channel" and len(train.inputs.shape) == 4 else (0,)
    total = squares = torch.zeros((), dtype=torch.float64)
    for chunk, _ in train.batches(torch.arange(len(train), device=device).split(CHUNK)):
        chunk = chunk if has_float64(device) else chunk.cpu()
        numbers = chunk.to(torch.float64, copy=True)
        total = total + numbers.sum(over, keepdim=True)  # (1, C, 1, 1), or one for each input
        squares = squares + numbers.square_().sum(over, keepdim=True)
    count = train.inputs.shape.numel() // total.numel()
    mean = total / count
    std = (squares / count - mean.square()).clamp(min=0).sqrt()
    std = torch.where(std > 1e-6 * (mean.abs() + 1e-6), std, 1.0)
    return Standardize(mean.to(dtype)[0], (1 / std).to(dtype)[0]).to(device)
