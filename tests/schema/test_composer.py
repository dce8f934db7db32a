"""Configs composed from a template are those that Hydra composes one by one."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from dlcourse.errors import UserError
from dlcourse.schema import composer as composer_module
from dlcourse.schema.compose import compose_job, hydra_of_job, without_hydra
from dlcourse.schema.composer import Composer
from dlcourse.schema.validate import check

CHOICES = st.sampled_from(["model=mlp", "model=lenet", "optim=sgd", "augment=[crop,flip]"])
VALUES = st.sampled_from(
    [
        "optim.lr=0.1", "optim.lr=1e-3", "optim.lr=1", "optim.lr=-1", "optim.lr=null",
        "optim.lr='0.1'", "optim.lr=${optim.weight_decay}", "optim.weight_decay=0.5",
        "optim.weight_decay=inf", "seed=3", "seed=${batch_size}", "seed=2.5", "batch_size=full",
        "batch_size=32", "model.widths=[8]", "model.widths=[8,4]", "model.widths=16",
        "model.dropout=0.5", "augment.crop.padding=3", "augment.crop.padding=-1",
        "data.examples=60", "data.seed=${seed}", "data.seed=5", "monitor='val/loss'",
        "optim.rates=[features.*:0.1]", "optim.missing=1", "optim={lr: 0.2}", "model._target_=no",
        "+model.speed=2", "~optim.weight_decay", "hydra.job.name=other", "trust=[a]",
        "max_time=???",
    ]
)  # fmt: skip
FIXED = st.sampled_from(
    [
        (), ("data.seed=${seed}",), ("model=mlp", "+model.copy=${optim}"), ("optim.lr=0.2",),
        ("model=mlp", "data.examples=${oc.decode:${batch_size}}"),
        ("experiment=optimizers_on_digits",),
        ("split.seed=${oc.select:data.seed}", "model=mlp"), ("data.root=${hydra.job.name}",),
    ]
)  # fmt: skip


def ending(function, *arguments) -> tuple:
    """Return what a function returns, or the message of its error."""
    try:
        return function(*arguments)
    except UserError as error:
        return ("refused", str(error))


def one_by_one(texts: list[str]) -> tuple:
    """Return the config, its first mistake, and Hydra's part, as Hydra composes them in full."""
    cfg = compose_job(texts, None)
    config = without_hydra(cfg)
    cfg.hydra.overrides.task = list(cfg.hydra.overrides.task)
    mistake = ending(check, config)
    return config, mistake, OmegaConf.to_yaml(hydra_of_job(cfg, Path("job")))


def from_template(composer: Composer, point: list[str]) -> tuple:
    """Return the same from a composer."""
    composed = composer.compose(point)
    config = composed.config()
    mistake = ending(composed.check, config)
    return config, mistake, OmegaConf.to_yaml(hydra_of_job(composed.cfg(), Path("job")))


def key(text: str) -> str:
    return text.partition("=")[0]


@settings(max_examples=6, derandomize=True, suppress_health_check=list(HealthCheck))
@given(FIXED, st.lists(CHOICES, max_size=1), st.lists(VALUES, min_size=1, max_size=3), st.data())
def test_any_points_have_the_configs_and_mistakes_that_hydra_gives_them(fixed, choices, some, data):
    composer = Composer(fixed, None)
    others = [[text for text in VALUES_LIST if key(text) == key(one)] for one in some]
    for _ in range(3):
        point = [*choices, *(data.draw(st.sampled_from(several)) for several in others)]
        wanted = ending(one_by_one, [*fixed, *point])
        assert ending(from_template, composer, point) == wanted, point


VALUES_LIST = VALUES.elements  # pyright: ignore[reportAttributeAccessIssue]

POINTS = [
    (["data.seed=${seed}"], ["seed=1"], ["seed=2"]),
    ([], ["optim={lr: 0.3}", "optim.lr=0.1"], ["optim={lr: 0.3}", "optim.lr=0.2"]),
    ([], ["optim.lr=1", "optim.weight_decay=${optim.lr}"],
     ["optim.lr=2", "optim.weight_decay=${optim.lr}"]),
    (["data.root=${hydra.job.name}"], ["seed=1"], ["seed=2"]),
    (["optim.lr=0.5"], ["optim.lr=0.1"], ["optim.lr=0.2"]),
    ([], ["optim.lr=0.1", "seed=1"], ["optim.lr=-1", "seed=1"]),
    ([], ["optim.missing=1"], ["optim.missing=2"]),
]  # fmt: skip


@pytest.mark.parametrize(("fixed", "first", "second"), POINTS)
def test_points_of_which_a_later_one_is_set_in_a_template_equal_those_in_full(fixed, first, second):
    composer = Composer(fixed, None)
    for point in (first, second):
        wanted = ending(one_by_one, [*fixed, *point])
        assert ending(from_template, composer, point) == wanted


def test_without_following_references_the_second_config_would_be_wrong(monkeypatch):
    monkeypatch.setattr(composer_module, "references_in", lambda raw: [])
    composer = Composer(["data.seed=${seed}"], None)
    composer.compose(["seed=1"])
    wrong = composer.compose(["seed=2"]).config()
    assert (wrong["seed"], wrong["data"]["seed"]) == (2, 1)


def test_points_that_differ_only_in_values_are_composed_once(monkeypatch):
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return compose_job(*arguments)

    monkeypatch.setattr(composer_module, "compose_job", counted)
    composer = Composer(["model=mlp"], None)
    for rate in range(1, 50):
        for decay in range(50):
            composer.compose([f"optim.lr={rate / 100}", f"optim.weight_decay={decay}"])
    assert len(calls) == 1
    for optim in ("sgd", "adam"):
        for rate in range(1, 50):
            composer.compose([f"optim={optim}", f"optim.lr={rate / 100}"])
    assert len(calls) == 3


def test_a_key_that_does_not_exist_costs_one_composition_per_value(monkeypatch):
    composer = Composer([], None)
    with pytest.raises(UserError) as first:
        composer.compose(["optim.missing=1", "seed=1"])
    monkeypatch.setattr(composer_module, "compose_job", None)
    with pytest.raises(UserError) as second:
        composer.compose(["optim.missing=1", "seed=2"])
    assert str(first.value) == str(second.value)


def test_configs_share_their_parts_and_changing_one_key_leaves_the_others():
    composer = Composer(["model=mlp"], None)
    first = composer.compose(["optim.lr=0.1"]).config()
    second = composer.compose(["optim.lr=0.2"]).config()
    assert second["model"] is first["model"]
    assert (first["optim"]["lr"], second["optim"]["lr"]) == (0.1, 0.2)
