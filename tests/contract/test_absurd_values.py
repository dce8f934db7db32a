"""Absurd values get one message each for every key, or are allowed on purpose; see absurd.py."""

import math
from functools import partial

import pytest
from absurd import (
    NEVER,
    SWEPT,
    VALUES,
    choice_with_keys,
    intended,
    message_of,
    tried,
    tried_alone,
    typed_values,
)
from conftest import prepared

from dlcourse.errors import UserError
from dlcourse.runs.start_record import stored_overrides
from dlcourse.schema.bounds import BOUNDS, bounds_of
from dlcourse.schema.compose import compose_checked
from dlcourse.schema.kinds import SMALLEST_FLOAT32
from dlcourse.schema.overrides import MOST_ITEMS, MOST_OVERRIDES
from dlcourse.schema.validate import check_key, refuse_vanishing
from dlcourse.train.fit import train_epoch

KEYS = [
    f"{group}.{name}".lstrip(".").replace("*", "any") for group in BOUNDS for name in BOUNDS[group]
]


def test_every_key_refuses_every_absurd_value_unless_its_bounds_mean_it():
    allowed = 0
    for key in KEYS:
        for name, value in typed_values().items():
            kind = bounds_of(key)
            assert kind is not None
            steps = (partial(check_key, key, value), partial(refuse_vanishing, key, value, kind))
            message = message_of(steps[0]) or message_of(steps[1])
            assert len(message) < 2000, f"{key}: a long message about {name}"
            assert message or intended(kind, name), f"{key} allows {name}"
            allowed += not message
    print(f"{len(KEYS)} keys, {len(KEYS) * len(typed_values())} values, {allowed} allowed")
    assert allowed > len(KEYS), "the smallest values and the usual texts are allowed"


@pytest.mark.parametrize("override", ["optim=adam", "augment=[crop]"])
def test_what_is_typed_gets_one_message_before_data_are_loaded(override):
    choice = choice_with_keys(override, override.partition("=")[0])
    for key in choice.keys[::4]:
        for name in NEVER:
            trial = tried(choice, key, name)
            assert not trial.trace, trial
            assert trial.refused or intended(bounds_of(key), name), trial


@pytest.mark.parametrize("name", ["a mapping", "the environment", "missing", "a broken reference"])
@pytest.mark.parametrize("key", ["optim.lr", "seed", "optim"])
def test_mappings_and_references_get_one_message(key, name):
    assert tried_alone(f"{key}={VALUES[name]}")


@pytest.mark.parametrize("key", [key for key in SWEPT if "." not in key])
def test_the_options_of_a_sweep_refuse_a_mapping_a_list_and_nothing(key):
    for name in ("a mapping", "no list", "missing"):
        assert tried_alone(f"{key}={VALUES[name]}", sweep=True), name


@pytest.mark.parametrize(
    "typed",
    [
        "optim.eps=1e-320", "optim.eps=1e-46", "optim.lr=1e-50", "model.activation=elu:1e-46",
        "optim=rprop optim.etas=[1e-50,1.2]",
    ],
)  # fmt: skip
def test_a_number_that_is_0_in_float32_is_refused_unless_training_computes_in_float64(typed):
    with pytest.raises(UserError, match=r"too small for float32.*\n.*runtime\.precision=fp64"):
        compose_checked(typed.split(), None)
    compose_checked([*typed.split(), "runtime.precision=fp64"], None)


def test_the_smallest_number_of_float32_trains_and_smaller_ones_of_python_are_allowed():
    small = ["data.examples=20", "model=mlp", f"optim.eps={SMALLEST_FLOAT32}", "optim.lr=1e-30"]
    state, fold, recipe = prepared(compose_checked([*small, "max_epochs=1e-46"], None))
    assert math.isfinite(train_epoch(state, fold, recipe)["train/loss"])


@pytest.mark.parametrize(
    "override",
    [
        f"model.widths=[{'1,' * 20_000}1]", f"model.widths={'[' * 3000}{']' * 3000}",
        f"data.root={'x' * 100_000}", "seed=range(1,1000000000)", "optim.lr=range(0.1,1,0)",
        "optim.lr=shuffle(range(0,1,1e-9))",
    ],
)  # fmt: skip
def test_an_override_that_takes_minutes_to_read_is_refused_at_once(override):
    assert tried_alone(override, sweep=True)


def test_stored_overrides_are_limited_in_number_and_length(tmp_path):
    (tmp_path / ".hydra").mkdir()
    for lines in (
        "- seed=1\n" * (MOST_OVERRIDES + 1),
        f"- model.widths=[{'1,' * MOST_ITEMS}1,1]\n",
    ):
        (tmp_path / ".hydra/overrides.yaml").write_text(lines)
        with pytest.raises(UserError, match="is not read"):
            stored_overrides(tmp_path)
    (tmp_path / ".hydra/overrides.yaml").write_text("- seed=1\n" * MOST_OVERRIDES)
    assert len(stored_overrides(tmp_path)) == MOST_OVERRIDES
