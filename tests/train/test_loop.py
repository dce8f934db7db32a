"""The training loop equals a loop written by hand, to the last bit."""

import dataclasses

import pytest
import torch
from conftest import prepared, same
from torch.nn import functional as F

from dlcourse.core import Observer
from dlcourse.errors import DivergedError
from dlcourse.train.batches import into_batches
from dlcourse.train.evaluate import evaluate
from dlcourse.train.fit import fit
from dlcourse.train.rng import epoch_order, reseed


def by_hand(model, fold, cfg, *, decay=0.0):
    """Train with momentum in a plain loop; return the loss and the accuracy of every epoch."""
    optimizer = torch.optim.SGD(
        model.parameters(), lr=cfg["optim"]["lr"], momentum=0.9, weight_decay=decay, fused=True
    )
    mean, scale = fold.standardize.mean, fold.standardize.scale
    expected_metrics = []
    for epoch in range(cfg["max_epochs"]):
        reseed(cfg["seed"], epoch)
        order = epoch_order(len(fold.train), cfg["seed"], epoch)
        total, hits = 0.0, 0
        model.train()
        for start in range(0, len(order), cfg["batch_size"]):
            index = order[start : start + cfg["batch_size"]]
            inputs = (fold.train.inputs[index] - mean) * scale
            targets = fold.train.targets[index]
            outputs = model(inputs)
            loss = F.cross_entropy(outputs, targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
            hits += (outputs.argmax(1) == targets).sum().item()
        expected_metrics.append((total / len(order), hits / len(order)))
    return expected_metrics


@pytest.mark.parametrize("model", ["mlp", "lenet"])
def test_the_loop_equals_a_loop_by_hand_to_the_last_bit(model, tiny):
    cfg = tiny(f"model={model}", "model.dropout=0.3", "optim=momentum", "max_epochs=3")
    state, fold, recipe = prepared(cfg)
    other = prepared(cfg)[0].model
    fit(state, fold, recipe)
    expected_metrics = by_hand(other, fold, cfg)
    assert same(state.model, other)
    for record, (loss, accuracy) in zip(state.history, expected_metrics, strict=True):
        assert record.metrics["train/loss"] == pytest.approx(loss, rel=1e-6)
        assert record.metrics["train/accuracy"] == pytest.approx(accuracy)


def test_the_comparison_detects_another_seed_and_a_weight_decay(tiny):
    cfg = tiny("model=mlp", "optim=momentum")
    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe)
    decayed, reseeded = prepared(cfg)[0].model, prepared(cfg)[0].model
    by_hand(decayed, fold, cfg, decay=1e-4)
    assert not same(state.model, decayed)
    cfg["seed"] = 1
    by_hand(reseeded, fold, cfg)
    assert not same(state.model, reseeded)


def test_penalties_of_zero_strength_do_not_change_the_training(tiny):
    ends = []
    for overrides in (
        [],
        ["regularizer=[l1,l2]", "regularizer.l1.strength=0", "regularizer.l2.strength=0"],
    ):
        state, fold, recipe = prepared(tiny("model=mlp", *overrides))
        fit(state, fold, recipe)
        ends.append(state.model)
    assert same(*ends)


@pytest.mark.parametrize(
    "overrides",
    [["regularizer=[l2]", "regularizer.l2.strength=0.1"], ["clip=norm", "clip.max_norm=0.01"],
     ["augment=[noise]"], ["schedule=linear"], ["loss.label_smoothing=0.2"], ["init=he_normal"],
     ["optim.weight_decay=0.1"], ["runtime.precision=bf16"], ["model.dropout=0.5"]],
    ids=lambda overrides: overrides[0],
)  # fmt: skip
def test_every_option_changes_the_training(overrides, tiny):
    ends = []
    for more in ([], overrides):
        state, fold, recipe = prepared(
            tiny("model=mlp", "optim=adamw", "optim.weight_decay=0", *more)
        )
        fit(state, fold, recipe)
        ends.append(state.model)
    assert not same(*ends)


def test_l2_and_weight_decay_are_equal_for_sgd(tiny):
    ends = []
    for overrides in (
        ["regularizer=[l2]", "regularizer.l2.strength=0.01"],
        ["optim.weight_decay=0.01"],
    ):
        state, fold, recipe = prepared(tiny("model=mlp", "optim=sgd", *overrides))
        fit(state, fold, recipe)
        ends.append(state.model)
    for a, b in zip(*(model.parameters() for model in ends), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_full_batch_gradient_descent_takes_one_step_per_epoch(tiny):
    cfg = tiny("model=linear", "optim=gd", "max_epochs=1", "init=zeros", "batch_size=full")
    state, fold, recipe = prepared(cfg)
    assert recipe.batch_size == len(fold.train)
    inputs = fold.standardize(fold.train.inputs).flatten(1)
    error = torch.full((len(inputs), 10), 0.1) - F.one_hot(fold.train.targets, 10)
    fit(state, fold, recipe)
    expected = -cfg["optim"]["lr"] * error.T @ inputs / len(inputs)
    torch.testing.assert_close(state.model.output.weight, expected, rtol=1e-4, atol=1e-6)


def test_hidden_units_that_start_at_zero_stay_identical(tiny):
    state, fold, recipe = prepared(tiny("model=mlp", "init=zeros", "model.activation=sigmoid"))
    fit(state, fold, recipe)
    hidden = state.model.hidden[0].weight
    assert hidden.abs().max() > 0
    assert torch.equal(hidden, hidden[:1].expand_as(hidden))


def test_the_learning_rate_follows_the_schedule(tiny):
    cfg = tiny("model=mlp", "schedule=step", "schedule.step_size=1", "max_epochs=3")
    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe)
    rates = [record.metrics["lr"] for record in state.history]
    assert rates == pytest.approx([0.001, 0.0005, 0.00025])


def test_stop_patience_ends_training_early_and_stop_never_does_not(tiny):
    for stop, epochs in (("patience", 2), ("never", 8)):
        cfg = tiny("model=mlp", f"stop={stop}", "max_epochs=8", "optim.lr=1e-9")
        if stop == "patience":
            cfg["stop"]["patience"] = 1
        state, fold, recipe = prepared(cfg)
        fit(state, fold, recipe)
        assert len(state.history) == epochs


def test_evaluation_draws_no_random_numbers_and_changes_nothing(tiny):
    state, fold, recipe = prepared(tiny("model=mlp", "model.dropout=0.5", "model.norm=batch"))
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    inputs = fold.val.inputs.clone()
    torch.manual_seed(0)
    expected = torch.Generator().manual_seed(0).get_state()
    first = evaluate(state.model, fold.val, fold.standardize, recipe, "val")
    second = evaluate(state.model, fold.val, fold.standardize, recipe, "val")
    assert first == second
    assert torch.equal(torch.get_rng_state(), expected)
    assert all(torch.equal(before[n], v) for n, v in state.model.state_dict().items())
    assert torch.equal(fold.val.inputs, inputs)


def test_evaluation_does_not_change_float_inputs(compose):
    cfg = compose("data=moons", "data.train_examples=50", "max_epochs=1", "runtime=cpu")
    state, fold, recipe = prepared(cfg)
    inputs = fold.val.inputs.clone()
    evaluate(state.model, fold.val, fold.standardize, recipe, "val")
    assert torch.equal(fold.val.inputs, inputs)


def test_a_run_without_validation_has_no_validation_metrics(tiny):
    state, fold, recipe = prepared(tiny("model=mlp"))
    fit(
        state,
        dataclasses.replace(fold, val=None),
        dataclasses.replace(recipe, monitor="train/loss"),
    )
    assert not [name for name in state.history[-1].metrics if name.startswith("val/")]


def test_a_loss_that_is_not_finite_ends_training_with_advice(tiny):
    cfg = tiny("model=mlp", "loss=mse", "optim=sgd", "optim.lr=900", "max_epochs=20")
    state, fold, recipe = prepared(cfg)
    with pytest.raises(DivergedError, match=r"optim\.lr=90"):
        fit(state, fold, recipe)
    assert all(record.metrics["train/loss"] < float("inf") for record in state.history)


def test_observers_see_every_batch_and_epoch_in_order(tiny):
    calls = []

    class Watcher(Observer):
        def start(self, state, recipe, fold):
            calls.append("start")

        def watch(self, batches, count):
            for batch in batches:
                calls.append("batch")
                yield batch
            calls.append(count)

        def epoch(self, state):
            calls.append(len(state.history))

    state, fold, recipe = prepared(tiny("model=mlp", "max_epochs=2"))
    fit(state, fold, recipe, [Watcher()])
    assert calls == ["start", *["batch"] * 3, 3, 1, *["batch"] * 3, 3, 2]


def test_an_observer_does_not_change_the_training(tiny):
    ends = []
    for observers in ([], [Observer.__new__(type("Idle", (Observer,), {}))]):
        state, fold, recipe = prepared(tiny("model=mlp"))
        fit(state, fold, recipe, observers)
        ends.append(state.model)
    assert same(*ends)


@pytest.mark.parametrize(
    ("examples", "batch", "sizes"),
    [
        (10, 3, [3, 3, 4]),
        (10, 4, [4, 4, 2]),
        (9, 3, [3, 3, 3]),
        (3, 1, [1, 1, 1]),
        (1, 4, [1]),
        (5, 9, [5]),
    ],
)
def test_batches_cover_the_order_and_one_last_example_joins_another_batch(examples, batch, sizes):
    order = torch.randperm(examples)
    pieces = into_batches(order, batch)
    assert [len(piece) for piece in pieces] == sizes
    assert torch.equal(torch.cat(pieces), order)


def test_every_epoch_has_its_own_order_determined_by_the_seed():
    assert torch.equal(epoch_order(50, 0, 3), epoch_order(50, 0, 3))
    assert not torch.equal(epoch_order(50, 0, 3), epoch_order(50, 0, 4))
    assert not torch.equal(epoch_order(50, 0, 3), epoch_order(50, 1, 3))
    assert torch.equal(epoch_order(50, 0, 3).sort().values, torch.arange(50))


def test_validation_and_test_losses_exclude_smoothing_penalties_and_augmentation(tiny, tmp_path):
    overrides = ["model=mlp", "max_epochs=1", "observe=[]", "optim=sgd", "optim.lr=1e-300"]
    losses = [
        run_result(tiny(*overrides, *more), tmp_path / str(number))
        for number, more in enumerate(
            ([], ["loss.label_smoothing=0.5"], ["regularizer=[l2]"], ["augment=[mixup]"])
        )
    ]
    assert all(one["val"] == losses[0]["val"] for one in losses)
    assert all(one["test"] == losses[0]["test"] for one in losses)
    assert losses[1]["train"]["loss"] != losses[0]["train"]["loss"]


def run_result(cfg, folder):
    from dlcourse.engine.run import run
    from dlcourse.runs.run_folder import read_result

    run(cfg, folder)
    return read_result(folder)
