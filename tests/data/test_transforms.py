"""Options of every data set; mean and scale are computed from the training part alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from dlcourse.core import Dataset, Split
from dlcourse.data.transforms import (
    keep_examples,
    keep_test_examples,
    randomize_labels,
    standardize,
)
from dlcourse.engine.datasets import load_data
from dlcourse.errors import UserError


def made(examples=90, classes=3, ready_val=0):
    inputs = torch.arange(examples).float().unsqueeze(1)
    split = Split(inputs, torch.arange(examples) % classes)
    names = tuple("abcdefgh"[:classes])
    return Dataset("made", split, split, names, ready_val)


def test_fewer_examples_are_stratified_by_class():
    kept = keep_examples(made(), 30, seed=0)
    assert torch.bincount(kept.train.targets).tolist() == [10, 10, 10]
    assert len(kept.test) == 90
    assert len(set(kept.train.inputs.flatten().tolist())) == 30


def test_fewer_examples_leave_a_ready_made_validation_part_whole():
    kept = keep_examples(made(ready_val=20), 30, seed=0)
    assert kept.train.inputs[-20:].flatten().tolist() == list(range(70, 90))
    assert len(kept.train) == 50


@pytest.mark.parametrize("examples", [2, 91])
def test_an_impossible_number_of_examples_is_refused(examples):
    with pytest.raises(UserError, match=f"data.examples={examples}"):
        keep_examples(made(), examples, seed=0)


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_random_labels_replaces_a_fraction_of_the_training_labels_and_no_test_label(fraction):
    before = made(examples=3000)
    after = randomize_labels(before, fraction, seed=0)
    changed = (after.train.targets != before.train.targets).float().mean().item()
    assert changed == pytest.approx(fraction * 2 / 3, abs=0.03)  # a third draw the true class
    assert torch.equal(after.test.targets, before.test.targets)
    assert torch.equal(after.train.inputs, before.train.inputs)


def test_random_targets_of_a_regression_are_those_of_other_examples():
    split = Split(torch.zeros(50, 1), torch.arange(50.0).unsqueeze(1))
    after = randomize_labels(Dataset("made", split, split), 1.0, seed=0)
    assert set(after.train.targets.flatten().tolist()) <= set(range(50))
    assert not torch.equal(after.train.targets, split.targets)


def test_pixels_are_standardised_as_scikit_learn_does():
    images = torch.randint(256, (60, 2, 5, 5), dtype=torch.uint8)
    images[:, 0, 0, 0] = 7  # constant
    ours = standardize(Split(images, torch.zeros(60)), "pixel")(images)
    theirs = StandardScaler().fit_transform(images.flatten(1).double().numpy())
    np.testing.assert_allclose(ours.flatten(1), theirs, atol=1e-4)


def test_features_are_standardised_as_scikit_learn_does():
    table = torch.randn(70, 4) * torch.tensor([1, 1e-3, 50, 0]) + torch.tensor([0, 5, 1e3, 3])
    for how in ("channel", "pixel"):
        ours = standardize(Split(table, torch.zeros(70)), how)(table)
        theirs = StandardScaler().fit_transform(table.double().numpy())
        np.testing.assert_allclose(ours, theirs, atol=2e-2)


@pytest.mark.parametrize("examples", [10, 5000])
def test_channels_are_standardised_to_mean_zero_and_variance_one(examples):
    images = torch.randint(256, (examples, 3, 4, 4), dtype=torch.uint8)
    outputs = standardize(Split(images, torch.zeros(examples)), "channel")(images)
    assert outputs.dtype == torch.float32
    torch.testing.assert_close(outputs.mean((0, 2, 3)), torch.zeros(3), atol=1e-4, rtol=0)
    variance = outputs.var((0, 2, 3), correction=0)
    torch.testing.assert_close(variance, torch.ones(3), atol=1e-4, rtol=0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
@pytest.mark.parametrize("how", ["none", "channel", "pixel"])
def test_standardising_does_not_change_the_stored_data(how, dtype):
    inputs = torch.arange(48).view(12, 1, 2, 2).to(dtype)
    before = inputs.clone()
    standardize(Split(inputs, torch.zeros(12)), how)(inputs)
    assert torch.equal(inputs, before)


def test_standardize_none_scales_images_to_0_to_1_and_keeps_features():
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1)
    outputs = standardize(Split(images, torch.zeros(3)), "none")(images)
    assert outputs.flatten().tolist() == pytest.approx([0, 0.2, 1])
    table = torch.randn(5, 2)
    assert torch.equal(standardize(Split(table, torch.zeros(5)), "none")(table), table)


@settings(max_examples=20)
@given(st.integers(0, 1000))
def test_the_standardisation_is_independent_of_the_validation_part(seed):
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (30, 1, 3, 3), generator=generator, dtype=torch.uint8)
    everything = Split(images, torch.zeros(30))
    train = everything.subset(torch.arange(20))
    before = standardize(train, "channel")
    images[20:] = 0
    after = standardize(everything.subset(torch.arange(20)), "channel")
    assert torch.equal(before.mean, after.mean)
    assert torch.equal(before.scale, after.scale)


MADE_UP = ["moons", "sine", "circles", "blobs", "spirals", "linear"]


@pytest.mark.parametrize("name", ["digits", "diabetes", *MADE_UP])
def test_a_data_set_is_fixed_by_its_seed_and_its_parts_are_disjoint(name, compose):
    first, again = (load_data(compose(f"data={name}")) for _ in range(2))
    assert torch.equal(first.train.inputs, again.train.inputs)
    assert torch.equal(first.test.targets, again.test.targets)
    rows = {tuple(row.flatten().tolist()) for row in first.train.inputs}
    overlap = [row for row in first.test.inputs if tuple(row.flatten().tolist()) in rows]
    assert len(overlap) <= 1  # two images of digits are equal
    other = load_data(compose(f"data={name}", "data.seed=1"))
    assert torch.equal(first.test.inputs, other.test.inputs) == (name not in MADE_UP)


def test_the_test_part_of_the_digits_is_a_fifth_of_every_class(compose):
    dataset = load_data(compose("data=digits", "data.size=8"))
    assert (len(dataset.train), len(dataset.test)) == (1437, 360)
    counts = torch.bincount(dataset.test.targets)
    assert counts.min() >= 34
    assert counts.max() <= 38


def test_data_size_sets_the_size_of_the_images(compose):
    assert load_data(compose("data=digits", "data.size=40")).input_shape == (1, 40, 40)


def test_the_sine_has_the_given_noise(compose):
    dataset = load_data(compose("data=sine", "data.noise=0.3", "data.train_examples=5000"))
    assert dataset.output_size == 1
    x, t = dataset.train.inputs, dataset.train.targets
    residual = t - torch.sin(2 * torch.pi * x)
    assert residual.std().item() == pytest.approx(0.3, rel=0.05)
    assert x.min() >= 0
    assert x.max() < 1


@given(examples=st.integers(3, 90), seed=st.integers(0, 5))
@settings(deadline=None, max_examples=20)
def test_kept_test_examples_are_stratified_and_leave_the_training_part_alone(examples, seed):
    kept = keep_test_examples(made(), examples, seed)
    counts = torch.bincount(kept.test.targets, minlength=3)
    assert len(kept.test) == examples
    assert counts.max() - counts.min() <= 2
    assert len(kept.train) == 90


def test_the_kept_test_examples_have_other_positions_than_the_kept_training_examples():
    for seed in range(5):
        test = keep_test_examples(made(), 30, seed).test.inputs
        assert test.tolist() != keep_examples(made(), 30, seed).train.inputs.tolist()


@pytest.mark.parametrize("examples", [2, 91])
def test_an_impossible_number_of_test_examples_is_refused(examples):
    with pytest.raises(UserError, match=f"data.test_examples={examples} .*\n.* from 3 to 90"):
        keep_test_examples(made(), examples, seed=0)


def test_test_examples_limits_the_test_part_of_every_kind_of_data(compose):
    assert len(load_data(compose("data.test_examples=100")).test) == 100
    regression = load_data(compose("data=diabetes", "data.test_examples=20"))
    assert len(regression.test) == 20
    assert len(load_data(compose("data=moons", "data.test_examples=30")).test) == 30
    whole, shorter = load_data(compose()), load_data(compose("data.test_examples=100"))
    assert torch.equal(whole.train.inputs, shorter.train.inputs)
    rows = {tuple(row) for row in whole.test.inputs.flatten(1).tolist()}
    assert {tuple(row) for row in shorter.test.inputs.flatten(1).tolist()} < rows


@pytest.mark.parametrize(
    "overrides",
    [["data=moons", "data.test_examples=null"], ["split=nested", "data.test_examples=100"]],
)
def test_test_examples_that_do_not_fit_the_data_or_split_are_refused(overrides, compose):
    from dlcourse.schema.validate import check

    with pytest.raises(UserError, match="test_examples"):
        check(compose(*overrides))
