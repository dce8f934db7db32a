"""Two and three ranks train to the weights of one device, in float64 to 1e-10."""

import numpy as np
import pytest
import torch
from PIL import Image
from several import on_ranks, trained

from dlcourse.data.streamed import ImageFiles, StreamedSplit
from dlcourse.distributed import gradients
from dlcourse.distributed.reading import read_batches
from dlcourse.engine.datasets import load_data
from dlcourse.train import fit

CASES = {
    "lenet": ["model=lenet", "model.dropout=0.2", "augment=[crop,noise]", "average=ema",
              "clip=norm", "clip.max_norm=0.5", "data.examples=60", "batch_size=13"],
    "batch norm": ["model=convnet", "model.norm=batch", "augment=[flip,cutmix]", "average=ema",
                   "accumulate=2", "data.examples=40", "batch_size=12",
                   # Adam would enlarge the rounding errors of biases before a batch norm
                   "optim=momentum"],
    "attention": ["model=vit", "model.depth=1", "model.width=16", "model.heads=2",
                  "model.dropout=0.1", "augment=[mixup]", "regularizer=[l2]", "accumulate=3",
                  "data.examples=30", "batch_size=9"],
    "sam": ["model=mlp", "optim=sam", "model.norm=batch", "data.examples=40", "batch_size=11"],
    "few examples": ["model=lenet", "data.examples=24", "batch_size=17"],  # the last batch has 2
}  # fmt: skip
FP64 = ["runtime.precision=fp64", "stop=never", "max_epochs=2", "observe=[]", "runtime=cpu"]


def difference(first, second):
    """Return the largest difference of two lists of numbers."""
    return max(abs(a - b) for a, b in zip(first, second, strict=True))


def numbers(found):
    """Return the weights, and the losses of the last epoch, as one list."""
    weights, history = found
    return [*weights, history[-1]["train/loss"], history[-1]["val/loss"]]


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("lenet", (2, 3)),
        ("batch norm", (3,)),
        ("attention", (2,)),
        ("sam", (2,)),
        ("few examples", (3,)),
    ],
)
def test_ranks_train_to_the_weights_of_one_device(name, sizes, compose):
    cfg = compose(*FP64, *CASES[name])
    one = numbers(trained(cfg))
    for size in sizes:
        first, *others = map(numbers, on_ranks(size, trained, cfg))
        assert difference(first, one) <= 1e-10
        assert all(other == first for other in others)  # every rank has the same bits


def without_sums(cfg):
    """Train with gradients that are not added up, and without the check that would find it."""
    gradients.add_up = lambda tensors: None
    fit.refuse_drift = lambda model, epoch: None
    return trained(cfg)


def test_gradients_that_are_not_added_up_train_to_other_weights(compose):
    cfg = compose(*FP64, *CASES["few examples"])
    one = numbers(trained(cfg))
    assert all(difference(numbers(rank), one) > 1e-6 for rank in on_ranks(2, without_sums, cfg))


def test_batch_norm_per_device_trains_to_other_weights_which_all_ranks_have(compose):
    cfg = compose(*FP64, *CASES["batch norm"], "accumulate=1", "runtime.batch_norm=per_device")
    one = numbers(trained(cfg))
    first, second = map(numbers, on_ranks(2, trained, cfg))
    assert difference(first, one) > 1e-6
    assert first == second


def drifting(cfg):
    """Train with ranks that start from other weights."""
    gradients.add_up = lambda tensors: None
    return trained(cfg)


def test_ranks_with_other_weights_are_reported_after_the_epoch(compose):
    cfg = compose(*FP64, *CASES["few examples"])
    with pytest.raises(RuntimeError, match="In epoch 1 rank 1 has other weights than rank 0"):
        on_ranks(2, drifting, cfg)


def batches_read(split, pieces):
    """Return the batches that a rank gets of a folder of images, and how many images it reads."""
    read, paths_at = [], ImageFiles.paths_at

    def counted(files, index):
        read.append(len(index))
        return paths_at(files, index)

    ImageFiles.paths_at = counted
    try:
        batches = [[part.tolist() for part in batch] for batch in read_batches(split, pieces)]
    finally:
        ImageFiles.paths_at = paths_at
    return batches, read


def test_ranks_read_their_shares_of_a_folder_on_the_disk_and_get_whole_batches(tmp_path, compose):
    generator = np.random.default_rng(0)
    for number in range(10):
        place = tmp_path / "images" / "ab"[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    options = ["data.size=8", "data.memory=0", "data.workers=0"]
    split = load_data(compose("data=image_folder", f"data.root={tmp_path}/images", *options)).train
    assert isinstance(split, StreamedSplit)
    pieces = list(torch.randperm(len(split)).split(3))  # 3, 3 and 2 of 8 images
    one, read = batches_read(split, pieces)
    assert read == [3, 3, 2]
    first, second = on_ranks(2, batches_read, split, pieces)
    assert first == (one, [2, 2, 1])
    assert second == (one, [1, 1, 1])
