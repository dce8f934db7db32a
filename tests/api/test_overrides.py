"""Python values as overrides."""

from pathlib import Path

import numpy as np
import pytest

from dlcourse.api.overrides import overrides_of
from dlcourse.errors import UserError
from dlcourse.schema.compose import compose_job, without_hydra


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"max_epochs": 5}, ["max_epochs=5"]),
        ({"optim": {"lr": 0.1, "betas": [0.9, 0.99]}}, ["optim.lr=0.1", "optim.betas=[0.9,0.99]"]),
        ({"optim.lr": 1e-05}, ["optim.lr=1e-05"]),
        ({"max_time": None}, ["max_time=null"]),
        ({"runtime.deterministic": True}, ["runtime.deterministic=true"]),
        ({"augment": ["crop", "flip"]}, ["augment=[crop,flip]"]),
        ({"optim.lr": np.float64(0.5)}, ["optim.lr=0.5"]),
        ({"optim.freeze": ["features.*"]}, ["optim.freeze=[features.*]"]),
    ],
)
def test_keyword_arguments_become_overrides(settings, expected):
    assert overrides_of([], settings, None) == expected


def test_texts_come_before_keyword_arguments():
    assert overrides_of(["optim=sgd"], {"seed": 3}, None) == ["optim=sgd", "seed=3"]


def test_a_list_is_several_values_in_a_sweep_and_one_value_in_a_run():
    settings = {"optim.lr": [0.1, 0.01], "augment": [["crop"], []]}
    assert overrides_of([], settings, None, swept=True) == [
        "optim.lr=0.1,0.01",
        "augment=[crop],[]",
    ]
    assert overrides_of([], {"optim.betas": (0.5, 0.9)}, None) == ["optim.betas=[0.5,0.9]"]


@pytest.mark.parametrize(
    "name", ["my data", "bücher, alt", "a'b", "C:\\data", "a\\\\b\\'c\\", "[x]", "a=b"]
)
def test_a_path_with_any_characters_is_unchanged_in_the_config(name):
    overrides = overrides_of([], {"data.root": Path(name)}, None)
    assert without_hydra(compose_job(overrides, None))["data"]["root"] == name


@pytest.mark.parametrize(
    ("overrides", "settings", "message"),
    [
        (["-m"], {}, "flag of the command line"),
        ([{"optim": "adam"}], {}, "is not an override"),
        (["optim=sgd,adam"], {}, "dlcourse.sweep('optim=sgd,adam')"),
        ([], {"model": object()}, "cannot be written into a config"),
    ],
)
def test_an_argument_that_is_no_override_gets_a_message(overrides, settings, message):
    with pytest.raises(UserError) as caught:
        overrides_of(overrides, settings, None)
    assert message in str(caught.value)
