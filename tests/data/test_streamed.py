"""Images streamed from disk give the same batches and the same weights as images in memory."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from dlcourse.core import Split
from dlcourse.data.streamed import StreamedSplit
from dlcourse.data.transforms import standardize
from dlcourse.data.workers import map_ahead
from dlcourse.engine.datasets import load_data
from dlcourse.engine.run import run
from dlcourse.errors import UserError


@pytest.fixture
def images(tmp_path):
    """Return a folder of 36 noise images in three classes of decreasing brightness."""
    random = np.random.default_rng(0)
    for number in range(36):
        pixels = random.integers(0, 255 - 80 * (number % 3), (20, 24, 3)).astype(np.uint8)
        folder = tmp_path / "images" / "abc"[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "images"


def overrides(images, memory, workers=0):
    return [
        "data=image_folder", f"data.root={images}", "data.size=16", f"data.memory={memory}",
        f"data.workers={workers}", "observe=[history]", "batch_size=8", "max_epochs=2",
        "model=mlp", "model.widths=[16]", "augment=[flip,crop,alternating_flip]", "runtime=cpu",
    ]  # fmt: skip


def loaded(compose, *some):
    return load_data(compose(*overrides(*some)))


def whole(split):
    index = torch.arange(len(split), device=split.device)
    inputs, targets = zip(*split.batches(index.split(5)), strict=True)
    return torch.cat(inputs), torch.cat(targets)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_streamed_part_has_the_pixels_of_one_in_memory(part, images, compose):
    kept = getattr(loaded(compose, images, 1), part)
    streamed = getattr(loaded(compose, images, 0), part)
    assert type(kept) is Split
    assert isinstance(streamed, StreamedSplit)
    assert len(streamed) == len(kept)
    assert streamed.inputs.shape == kept.inputs.shape
    for a, b in zip(whole(kept), whole(streamed), strict=True):
        assert torch.equal(a, b)
    index = torch.tensor([3, 1, 1])
    for a, b in zip(whole(kept.subset(index)), whole(streamed.subset(index)), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("how", ["channel", "pixel", "none", "imagenet", "zca"])
def test_a_streamed_part_has_the_same_mean_and_scale(how, images, compose):
    first, second = (standardize(loaded(compose, images, memory).train, how) for memory in (1, 0))
    assert torch.equal(first.mean, second.mean)
    assert torch.equal(first.scale, second.scale)


def test_training_from_disk_with_workers_ends_with_the_weights_of_training_in_memory(
    images, compose, tmp_path, caplog
):
    for name, memory, workers in (("kept", 1, 0), ("streamed", 0, 2)):
        run(compose(*overrides(images, memory, workers)), tmp_path / name)
    kept, streamed = (
        torch.load(tmp_path / name / "checkpoints/last.pt")["model"]
        for name in ("kept", "streamed")
    )
    assert all(torch.equal(kept[name], streamed[name]) for name in kept)
    assert "data.memory=0" in caplog.text


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
@pytest.mark.parametrize("workers", [0, 2])
def test_streamed_batches_on_the_gpu_have_the_pixels_of_images_in_memory(workers, images, compose):
    kept = loaded(compose, images, 1).train
    streamed = loaded(compose, images, 0, workers).train.to(torch.device("cuda"))
    for a, b in zip(whole(kept), whole(streamed), strict=True):
        assert b.device.type == "cuda"
        assert torch.equal(a, b.cpu())


def test_cross_validation_and_fewer_examples_work_with_streamed_images(images, compose, tmp_path):
    more = ["split=stratified_kfold", "split.folds=2", "data.examples=20", "max_epochs=1"]
    run(compose(*overrides(images, 0), *more), tmp_path / "run")
    assert (tmp_path / "run/fold1/result.json").exists()


def test_a_damaged_streamed_image_is_named_before_training(images, compose):
    (images / "a/0.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"0\.png"):
        loaded(compose, images, 0)


def test_reconstruction_needs_the_images_in_memory(images, compose):
    with pytest.raises(UserError, match=r"data\.memory"):
        load_data(compose(*overrides(images, 0), "data.reconstruct=true", "metric=[rmse]"))


def test_workers_return_results_in_order_and_raise_their_errors():
    assert list(map_ahead(divmod, [(n, 3) for n in range(20)], 2)) == [
        divmod(n, 3) for n in range(20)
    ]
    with pytest.raises(ZeroDivisionError):
        list(map_ahead(divmod, [(1, 0)], 2))


def test_targets_of_a_reconstruction_are_the_pixels_scaled_to_0_to_1(compose):
    plain = load_data(compose("data.examples=50"))
    dataset = load_data(compose("data.examples=50", "data.reconstruct=true"))
    assert dataset.task == "regression"
    assert dataset.output_size == 28 * 28
    torch.testing.assert_close(dataset.train.targets, plain.train.inputs.flatten(1) / 255)
    assert dataclasses.replace(plain, classes=()).task == "regression"
    assert plain.task == "classification"
