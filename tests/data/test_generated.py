"""Generated data sets (gates, blobs, circles, spirals, linear functions), and diabetes."""

import pytest
import torch
from conftest import prepared

from dlcourse.engine.datasets import load_data, split_training_data
from dlcourse.errors import UserError
from dlcourse.train.fit import fit


def test_train_validation_and_test_part_of_a_gate_are_its_truth_table(compose):
    cfg = compose("data=gates", "data.gate=and")
    dataset = load_data(cfg)
    (part,) = split_training_data(cfg, dataset)
    for split in (
        dataset.train.subset(part.train),
        dataset.train.subset(part.val),
        dataset.test,
    ):
        assert split.inputs.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
        assert split.targets.tolist() == [0, 0, 0, 1]


ONE_THREAD = ("runtime=cpu", "runtime.threads=1")  # enough for four examples


def best_accuracy(cfg) -> float:
    state, fold, recipe = prepared(cfg)
    return max(record.metrics["val/accuracy"] for record in fit(state, fold, recipe).history)


@pytest.mark.parametrize("seed", range(5))
def test_an_mlp_learns_xor(seed, compose):
    assert best_accuracy(compose("data=gates", "data.gate=xor", *ONE_THREAD, f"seed={seed}")) == 1


def test_a_linear_model_learns_or_but_not_xor(compose):
    overrides = ("data=gates", "model=linear", "optim.lr=0.1", *ONE_THREAD)
    assert best_accuracy(compose(*overrides, "data.gate=or")) == 1
    assert best_accuracy(compose(*overrides, "data.gate=xor")) <= 0.75


def test_typed_overrides_replace_the_defaults_of_the_gates(compose):
    cfg = compose("data=gates", "model=perceptron")
    assert cfg["model"]["_target_"].endswith("Perceptron")
    assert cfg["batch_size"] == 1  # the perceptron's own


def test_circles_without_noise_have_the_given_radii(compose):
    dataset = load_data(compose("data=circles", "data.noise=0", "data.factor=0.25"))
    radius = dataset.train.inputs.norm(dim=1)
    expected = torch.tensor([1.0, 0.25])[dataset.train.targets]
    torch.testing.assert_close(radius, expected)
    assert dataset.classes == ("outer", "inner")


def test_training_and_test_part_of_the_blobs_have_the_same_centres(compose):
    overrides = (
        "data.centers=4",
        "data.std=0.1",
        "data.train_examples=400",
        "data.test_examples=399",
    )
    dataset = load_data(compose("data=blobs", *overrides))
    assert dataset.classes == ("0", "1", "2", "3")
    for target in range(4):
        train, test = (
            part.inputs[part.targets == target] for part in (dataset.train, dataset.test)
        )
        assert (train.mean(dim=0) - test.mean(dim=0)).norm() < 0.1
        assert train.std(dim=0).tolist() == pytest.approx([0.1, 0.1], rel=0.3)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_every_arm_of_a_spiral_is_the_first_arm_rotated(classes, compose):
    overrides = (f"data.classes={classes}", f"data.train_examples={20 * classes}", "data.turns=1.5")
    train = load_data(compose("data=spirals", *overrides)).train
    points = torch.view_as_complex(train.inputs)
    for target in range(classes):
        arm = points[train.targets == target]
        turn = torch.polar(torch.ones(()), torch.tensor(-2 * torch.pi * target / classes))
        torch.testing.assert_close(arm, points[train.targets == 0] * turn)
    assert points.abs().max().item() == pytest.approx(6.5)
    assert points.abs().min().item() == pytest.approx(0.5)


def test_the_test_points_are_on_the_same_arms(compose):
    test = load_data(compose("data=spirals", "data.test_examples=1000")).test
    radius = test.inputs.norm(dim=1)
    angle = 6 * torch.pi * (6.5 - radius) / 6 + torch.pi * test.targets
    on_the_arm = radius.unsqueeze(1) * torch.stack([angle.sin(), angle.cos()], dim=1)
    torch.testing.assert_close(test.inputs, on_the_arm, atol=1e-4, rtol=0)
    assert test.targets.bincount().tolist() == [500, 500]


@pytest.mark.parametrize("examples", [7, 100, 194])
def test_the_arms_have_equally_many_points(examples, compose):
    overrides = ("data.classes=3", f"data.train_examples={examples}", "data.noise=0.5")
    counts = load_data(compose("data=spirals", *overrides)).train.targets.bincount()
    assert counts.sum() == examples
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("overrides", [("blobs", "data.centers=9"), ("spirals", "data.classes=9")])
def test_fewer_points_than_classes_are_refused(overrides, compose):
    name, many = overrides
    with pytest.raises(UserError, match=r"(?s)data\.train_examples=5.*Type data.train_examples=9"):
        load_data(compose(f"data={name}", many, "data.train_examples=5"))


def test_the_linear_data_set_has_as_many_inputs_as_weights(compose):
    dataset = load_data(compose("data=linear", "data.weights=[1,-2,3,4]", "data.noise=0"))
    assert dataset.input_shape == (4,)
    exact = dataset.test.inputs @ torch.tensor([1.0, -2.0, 3.0, 4.0]) + 1
    torch.testing.assert_close(dataset.test.targets[:, 0], exact)


def test_the_diabetes_data_have_the_size_and_ranges_of_the_study(compose):
    dataset = load_data(compose("data=diabetes"))
    assert (len(dataset.train), len(dataset.test)) == (353, 89)
    assert dataset.task == "regression"
    targets = torch.cat([dataset.train.targets, dataset.test.targets])
    assert (targets.min(), targets.max()) == (25, 346)
    assert set(dataset.train.inputs[:, 1].tolist()) == {1, 2}  # the sexes, not scaled
