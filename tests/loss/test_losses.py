"""Properties of the losses; their formulas are in ``tests/references/loss.py``."""

import math

import pytest
import torch
from conftest import option_facts, options
from torch.nn import functional as F

from dlcourse.engine.instantiate import build

NAMES = [name for name in options("loss") if option_facts("loss", name)["task"] != "regression"]
RIGHT, WRONG = torch.tensor([[2.0, 0.5, -1.0]]), torch.tensor([[0.5, 2.0, -1.0]])


def loss_of(compose, name, outputs, targets, *more):
    return build(compose(f"loss={name}", *more)["loss"], "class_weight")(outputs, targets).item()


def soft(name):
    return option_facts("loss", name).get("soft_targets")


@pytest.mark.parametrize("name", ["cross_entropy", "nll"])
def test_softmax_and_cross_entropy_have_the_values_of_the_course(name, compose):
    outputs = torch.tensor([[14.0, 11.0, 16.0]])
    assert [round(p, 4) for p in outputs.softmax(1)[0].tolist()] == [0.1185, 0.0059, 0.8756]
    loss = loss_of(compose, name, outputs, torch.tensor([2]))
    assert loss == pytest.approx(0.1328, abs=5e-5)
    outputs = torch.tensor([[1.2, 5.1, 2.7]])
    assert outputs.softmax(1)[0].tolist() == pytest.approx([0.018, 0.90, 0.08], abs=5e-3)


def test_the_loss_of_zero_outputs_is_the_log_of_the_number_of_classes(compose):
    outputs, targets = torch.zeros(4, 10), torch.arange(4)
    assert loss_of(compose, "cross_entropy", outputs, targets) == pytest.approx(math.log(10))
    assert loss_of(compose, "bce", outputs, targets) == pytest.approx(math.log(2))


def test_nll_equals_cross_entropy_without_label_smoothing(compose):
    outputs = 3 * torch.randn(50, 10)
    targets = outputs.argmax(1)
    expected = loss_of(compose, "cross_entropy", outputs, targets)
    assert loss_of(compose, "nll", outputs, targets) == pytest.approx(expected, rel=1e-6)
    smoothed = loss_of(compose, "cross_entropy", outputs, targets, "loss.label_smoothing=0.1")
    assert smoothed > expected + 0.1


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_prediction_has_a_larger_loss_than_a_right_one(name, compose):
    target = torch.tensor([0])
    assert loss_of(compose, name, WRONG, target) > loss_of(compose, name, RIGHT, target)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_equals_finite_differences(name, compose):
    outputs = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, 3, 1, 1, 2, 0])
    loss = build(compose(f"loss={name}")["loss"], "class_weight")
    torch.autograd.gradcheck(lambda f: loss(f, targets), outputs)


@pytest.mark.parametrize("name", NAMES)
def test_large_outputs_give_a_finite_loss_and_gradient(name, compose):
    outputs = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 0.0]], requires_grad=True)
    loss = build(compose(f"loss={name}")["loss"], "class_weight")(outputs, torch.tensor([1, 1]))
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(outputs.grad).all()


@pytest.mark.parametrize("name", [name for name in NAMES if soft(name)])
def test_a_one_hot_target_has_the_loss_of_its_class(name, compose):
    outputs, classes = torch.randn(8, 3), torch.randint(3, (8,))
    vectors = F.one_hot(classes, 3).float()
    expected = loss_of(compose, name, outputs, classes)
    assert loss_of(compose, name, outputs, vectors) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", [name for name in NAMES if soft(name) and name != "mse"])
def test_the_loss_of_a_mixed_target_is_the_weighted_mean_of_the_losses(name, compose):
    outputs, first, second = torch.randn(8, 3), torch.randint(3, (8,)), torch.randint(3, (8,))
    mixed = 0.3 * F.one_hot(first, 3) + 0.7 * F.one_hot(second, 3)
    parts = [loss_of(compose, name, outputs, classes) for classes in (first, second)]
    expected = 0.3 * parts[0] + 0.7 * parts[1]
    assert loss_of(compose, name, outputs, mixed) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if not soft(name)])
def test_a_loss_that_declares_no_soft_targets_takes_no_mixed_targets(name, compose):
    with pytest.raises((RuntimeError, IndexError)):
        loss_of(compose, name, torch.randn(8, 3), torch.rand(8, 3))


def test_the_perceptron_loss_is_0_for_correct_examples_and_a_tie_counts_as_class_0(compose):
    perceptron = build(compose("loss=perceptron")["loss"], "class_weight")
    outputs = torch.tensor([[0.0, 2.0], [0.0, -1.0], [0.0, 0.0], [0.0, 0.0]], requires_grad=True)
    loss = perceptron(outputs, torch.tensor([1, 0, 0, 1]))
    loss.backward()
    assert loss == 0
    assert outputs.grad.tolist() == [[0, 0], [0, 0], [0, 0], [0.25, -0.25]]


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_a_hinge_loss_is_0_beyond_the_margin(name, compose):
    outputs, target = torch.tensor([[3.0, 1.0, 0.0]]), torch.tensor([0])
    assert loss_of(compose, name, outputs, target, "loss.margin=2") == 0
    expected = {"hinge": 0.5, "squared_hinge": 0.25}[name]
    assert loss_of(compose, name, outputs, target, "loss.margin=2.5") == pytest.approx(expected)


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_uses_no_label_smoothing(compose, name):
    from dlcourse.engine.assemble import plain_loss
    from dlcourse.engine.instantiate import build

    outputs, targets = torch.randn(7, 5), torch.randint(5, (7,))
    cfg = compose(f"loss={name}", "model=linear")
    plain = build(cfg["loss"], "class_weight")(outputs, targets)
    if "label_smoothing" in cfg["loss"]:
        cfg["loss"]["label_smoothing"] = 0.3
        assert build(cfg["loss"], "class_weight")(outputs, targets) != plain  # the control
    assert plain_loss(cfg)(outputs, targets) == plain


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_focal_loss_has_a_finite_gradient_where_the_model_is_certain(gamma, compose):
    for name in ("focal", "focal_softmax"):
        outputs = torch.tensor([[200.0, -200.0]], requires_grad=True)
        loss = build(compose(f"loss={name}", f"loss.gamma={gamma}")["loss"], "class_weight")
        loss(outputs, torch.tensor([0])).backward()
        assert outputs.grad.isfinite().all()


@pytest.mark.parametrize(("name", "middle"), [("mse", 4.0), ("mae", 2.0), ("quantile", 9.0)])
def test_the_best_constant_is_the_mean_the_median_or_the_quantile(name, middle, compose):
    targets = torch.tensor([0.0, 1.0, 2.0, 8.0, 9.0])[:, None]
    more = ["loss.q=0.99"] if name == "quantile" else []
    loss = build(compose("data=diabetes", f"loss={name}", *more)["loss"], "class_weight")
    constants = torch.linspace(0, 9, 91)
    values = [float(loss(value.expand(5, 1), targets)) for value in constants]
    assert float(constants[values.index(min(values))]) == pytest.approx(middle)
