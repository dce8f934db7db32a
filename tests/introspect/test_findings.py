"""Findings in words: each on curves or measurements that show it, and on a control that does not.

``test_runs_show_their_findings`` finds the most common ones in real runs.
"""

import dataclasses

import pytest

from dlcourse.introspect.history_findings import Facts, history_findings, nothing_learned
from dlcourse.introspect.measurement_findings import measurement_findings

FACTS = Facts(0.1, 1000, "val/accuracy", best_epoch=3, ended_by="stop")


def curves(train, val=None, accuracy=None, **more):
    """Return a history from lists: losses, and pairs of training and validation accuracy."""
    rows = [{"train/loss": loss, "lr": 0.1} for loss in train]
    for row, loss in zip(rows, val or train, strict=True):
        row["val/loss"] = loss
    for row, (own, other) in zip(rows, accuracy or [], strict=bool(accuracy)):
        row |= {"train/accuracy": own, "val/accuracy": other}
    for name, values in more.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    return rows


FALLING = [2.3, 1.0, 0.6, 0.4, 0.3, 0.25]
GOOD = [(0.4, 0.5), (0.7, 0.75), (0.85, 0.86), (0.9, 0.89), (0.93, 0.91), (0.95, 0.92)]
CASES = {
    "overfitting": (
        curves(FALLING, accuracy=[*GOOD[:5], (1.0, 0.55)]),
        "training accuracy 1.00, validation 0.55: overfitting",
        curves(FALLING, accuracy=GOOD),
    ),
    "nothing was learned": (
        curves([2.3] * 6, accuracy=[(0.1, 0.1)] * 6),
        "nothing was learned: the best accuracy is 0.10",
        curves([2.3] * 6, accuracy=[(0.13, 0.15)] * 6),
    ),
    "underfitting": (
        curves(FALLING, accuracy=[(0.3, 0.3), (0.4, 0.41), *[(0.452, 0.45)] * 4]),
        "training accuracy 0.45, validation 0.45",
        curves(FALLING, accuracy=[(0.3 + 0.05 * n, 0.3 + 0.05 * n) for n in range(6)]),
    ),
    "does not fall": (
        curves([2.302, 2.303, 2.301, 2.304, 2.302, 2.303], accuracy=[(0.1, 0.1)] * 6),
        "the training loss does not fall: 2.302 in epoch 1, 2.303",
        curves(FALLING, accuracy=[(0.1, 0.1)] * 6),
    ),
    "learning rate is too high": (
        curves([2.0, 1.0, 2.5, 1.2, 3.0, 1.1], accuracy=GOOD),
        "the training loss rose by more than 10 % in 2 of 5 epochs",
        curves([2.0, 1.0, 0.001, 0.002, 0.001, 0.002], accuracy=GOOD),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_curves_that_show_it_are_reported_and_the_control_is_not(name):
    history, sentence, control = CASES[name]
    found = history_findings(history, FACTS)
    assert any(name in one and sentence in one for one in found), found
    assert not any(name in one for one in history_findings(control, FACTS))


def test_of_four_examples_nothing_can_be_said_about_what_was_learned():
    right = curves([0.7] * 6, accuracy=[(1.0, 1.0)] * 6)
    facts = dataclasses.replace(FACTS, largest_class=0.5, examples=4)
    assert nothing_learned(right, facts) == ""
    assert nothing_learned(curves([0.7] * 6, accuracy=[(0.5, 0.5)] * 6), facts) == ""
    many = dataclasses.replace(facts, examples=400)
    assert nothing_learned(curves([0.7] * 6, accuracy=[(0.5, 0.5)] * 6), many)


def test_a_gap_that_a_small_validation_part_explains_is_no_overfitting():
    history = curves(FALLING, accuracy=[*GOOD[:5], (1.0, 0.85)])
    few = dataclasses.replace(FACTS, examples=20)
    assert "overfitting" in str(history_findings(history, FACTS))
    assert "overfitting" not in str(history_findings(history, few))


def test_a_regression_overfits_where_its_validation_loss_rises():
    facts = dataclasses.replace(FACTS, largest_class=None)
    rising = curves([1, 0.5, 0.3, 0.2, 0.1, 0.05], [1, 0.6, 0.5, 0.55, 0.6, 0.7])
    found = history_findings(rising, facts)
    assert "training loss 0.05, validation 0.7 after 0.5 at its best: overfitting" in found
    assert history_findings(curves([1, 0.5, 0.3, 0.2, 0.1, 0.05]), facts) == []


def test_train_longer_is_said_only_if_max_epochs_ended_a_run_at_its_best():
    history = curves(FALLING, accuracy=GOOD)
    ended = dataclasses.replace(FACTS, best_epoch=6, ended_by="max_epochs")
    assert "the last one of 6: more epochs may be better (max_epochs=12)" in str(
        history_findings(history, ended)
    )
    for other in (
        dataclasses.replace(ended, best_epoch=5),
        dataclasses.replace(ended, ended_by="stop"),
    ):
        assert history_findings(history, other) == []
    decayed = [row | {"lr": 0.1 * (1 - n / 6)} for n, row in enumerate(history)]
    decayed[-1]["lr"] = 0.001
    assert history_findings(decayed, ended) == []


def measured(step=0, **of_layers):
    """Return a line of diagnostics.jsonl; keywords: values of layer a, then of layer b."""
    layers = {"a": {"sparsity": 0.0, "size": 100}, "b": {"sparsity": 0.0, "size": 100}}
    for key, (first, last) in of_layers.items():
        layers["a"][key], layers["b"][key] = first, last
    return {"step": step, "epoch": float(step), "layers": layers}


STEPS = {"epoch": 1, "losses": [2.0, 2.0, 2.0, *[1.9] * 20], "rates": [0.1] * 23}
MEASURED = {
    "dead": (
        [measured(dead=(0.61, 0.2))],
        "layer a: 61 % of the units are dead",
        [measured(dead=(0.4, 0.2))],
    ),
    "saturated": (
        [measured(saturated=(0.1, 0.7))],
        "layer b: 70 % of the outputs are saturated",
        [measured(saturated=(0.1, 0.3))],
    ),
    "vanishing": (
        [measured(gradient=(4e-6, 0.44))],
        "before training the gradients of layer a are 9e-06 of those of layer b: vanishing",
        [measured(gradient=(0.01, 0.44))],
    ),
    "exploding": (
        [measured(), measured(5, gradient=(9e4, 0.5))],
        "at the end the gradients of layer a are 2e+05 of those of layer b: exploding",
        [measured(), measured(5, gradient=(90, 0.5))],
    ),
    "too low": (
        [measured(), measured(23, update=(1e-7, 2e-7)), STEPS],
        "a step changes the weights by 1e-07 of their size",
        [measured(), measured(23, update=(1e-3, 2e-7)), STEPS],
    ),
    "changes the weights by 2e-01": (
        [measured(), measured(23, update=(0.2, 0.3)), STEPS],
        "the learning rate is too high",
        [measured(), measured(23, update=(0.02, 0.03)), STEPS],
    ),
    "in step 4": (
        [STEPS | {"losses": [2.0, 2.0, 2.0, 40.0, *[1.9] * 20]}],
        "the loss rises to 40 in step 4, 20 times its start: the learning rate is too high",
        [STEPS],
    ),
    "sparse": (
        [measured(sparsity=(0.9, 0.82))],
        "86 % of the weights are smaller than 0.001",
        [measured(sparsity=(0.9, 0.0))],
    ),
}


@pytest.mark.parametrize("name", MEASURED)
def test_measurements_that_show_it_are_reported_and_the_control_is_not(name):
    lines, sentence, control = MEASURED[name]
    found = measurement_findings(lines)
    assert any(name in one and sentence in one for one in found), found
    assert not any(name in one for one in measurement_findings(control))


def test_many_layers_are_named_in_part():
    layers = {f"l{n}": {"sparsity": 0.0, "size": 1, "dead": 0.9} for n in range(5)}
    found = measurement_findings([{"step": 0, "epoch": 0.0, "layers": layers}])
    assert len(found) == 3
    assert found[-1].endswith("; 2 more layers likewise")


def test_a_small_update_of_a_run_that_has_learned_is_not_reported():
    learned = STEPS | {"losses": [2.0, 2.0, 2.0, *[0.1] * 20]}
    assert measurement_findings([measured(), measured(23, update=(1e-7, 2e-7)), learned]) == []


def test_a_normal_run_has_no_finding_about_its_layers():
    lines = [
        measured(0, gradient=(0.02, 0.09), dead=(0.0, 0.1)),
        measured(23, gradient=(0.5, 1.0), dead=(0.1, 0.3), update=(1e-3, 2e-3)),
        STEPS,
    ]
    assert measurement_findings(lines) == []
