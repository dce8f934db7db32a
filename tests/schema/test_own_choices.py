"""The facts and bounds of a user's YAML are checked; those of dlcourse are not in the config."""

import sys

import pytest

from dlcourse.errors import UserError
from dlcourse.schema.compose import compose_job, without_hydra
from dlcourse.schema.overrides import DECLARATIONS, all_keys
from dlcourse.schema.validate import check


@pytest.fixture
def own_loss(tmp_path):
    """Return a function that checks a run with a user's own loss and returns its config.

    declared: the lines of the YAML that declare facts and bounds.
    """

    def checked(declared: str, *overrides: str) -> dict:
        (tmp_path / "loss").mkdir(exist_ok=True)
        text = f"_target_: my.my_loss\n_partial_: true\ngamma: 2.0\n{declared}\n"
        (tmp_path / "loss/my_loss.yaml").write_text(text)
        config = without_hydra(compose_job(["loss=my_loss", *overrides], str(tmp_path)))
        check(config)
        return config

    return checked


def test_facts_and_bounds_of_dlcourses_choices_are_not_in_the_config(compose):
    cfg = compose("augment=[mixup,crop]", "metric=[accuracy,top_k]", "data=csv", "data.file=a.csv")
    declared = [key for key in all_keys(cfg) if key.split(".")[-1] in DECLARATIONS]
    assert declared == []


def test_facts_and_bounds_of_a_users_choice_stay_in_the_config(own_loss):
    config = own_loss('_facts_: {task: classification}\n_bounds_: {gamma: "number >= 0"}')
    assert config["loss"]["_facts_"] == {"task": "classification"}
    assert config["loss"]["_bounds_"] == {"gamma": "number >= 0"}


@pytest.mark.parametrize(
    ("declared", "overrides", "message"),
    [
        ("_facts_: {tsk: any}", [], r"tsk in loss\._facts_ is not a fact .* did you mean task\?"),
        ("_facts_: {task: classes}", [], r"task: classes, and task takes one of classification"),
        (
            "_facts_: {soft_targets: 3}",
            [],
            "soft_targets takes true or false",
        ),
        ("_facts_: classification", [], r"loss\._facts_=classification is not allowed"),
        (
            "_facts_: {inputs: images}",
            [],
            "inputs in .* is not a fact of the group loss",
        ),
        ('_bounds_: {gamma: "number >= 0"}', ["loss.gamma=-1"], r"loss\.gamma=-1 is not allowed"),
        (
            "_facts_: {task: classification}",
            ["data=sine", "metric=[rmse]", "monitor=val/rmse", "mode=min"],
            r"loss=my_loss is for classes, and this data set is a regression\.\nType loss=mse",
        ),
        (
            "_facts_: {task: classification}",
            ["augment=[mixup]"],
            r"augment=mixup mixes .* and loss=my_loss takes one class .*\n.*soft_targets: true",
        ),
        ("_facts_: {soft_targets: false}", ["augment=[cutmix]"], "augment=cutmix mixes classes"),
    ],
)
def test_a_wrong_declaration_or_combination_is_refused(own_loss, declared, overrides, message):
    with pytest.raises(UserError, match=message):
        own_loss(declared, *overrides)


@pytest.mark.parametrize("declared", ["", "_facts_: {task: classification, soft_targets: true}"])
def test_a_loss_that_takes_soft_targets_is_allowed_with_mixup(own_loss, declared):
    assert own_loss(declared, "augment=[mixup]")["loss"]["gamma"] == 2.0


def test_a_choice_whose_optional_package_is_missing_is_refused(own_loss):
    with pytest.raises(UserError) as refused:
        own_loss("_facts_: {needs: no_such_package.losses}")
    assert str(refused.value) == (
        "loss=my_loss needs no_such_package, which is not installed.\n"
        "Type pip install no_such_package"
    )
    assert own_loss("_facts_: {needs: json}")["loss"]["gamma"] == 2.0  # the control


def test_a_package_that_only_training_needs_is_not_demanded_of_an_evaluation(own_loss, monkeypatch):
    config = own_loss("_facts_: {needs: tomllib}")
    monkeypatch.setitem(sys.modules, "tomllib", None)
    check(config, used=("model", "data"))
    with pytest.raises(UserError, match="needs tomllib"):
        check(config, used=("model", "loss"))
