"""What is read from a stored folder cannot run code unless the user trusts it."""

import json
from pathlib import Path

import pytest

from dlcourse.engine.instantiate import fill
from dlcourse.errors import UserError
from dlcourse.random_streams import CURRENT
from dlcourse.schema.overrides import check_overrides
from dlcourse.schema.trust import check_trust, own_targets
from dlcourse.sweep.manifest import Manifest, storable_overrides
from dlcourse.sweep.methods.optuna import check_stored_state

OWN = sorted([*own_targets(), "torch.optim.SGD", "torch.nn.GELU", "torch.nn.functional.huber_loss"])
FOREIGN = [
    "os.system",
    "builtins.exec",
    "torch.load",
    "torch.hub.load",
    "torch.nn.utils.os.system",
    "torch.optim._functional.importlib",
    "dlcourse.data.download.ensure_files",  # a function of dlcourse, but no choice: it writes files
    "dlcourse.model.mlp.nn.Linear",
    "dlcourse.atomic_files.write_text",
    "dlcourse.model.mlp.MLP.__init__",
    "",
    "3",
]
SHAPES = {
    "a group": lambda node: {"model": node},
    "a hyperparameter": lambda node: {"model": {"_target_": "dlcourse.model.mlp.MLP", "x": node}},
    "a list": lambda node: {"observe": {"a": {"b": [1, [node]]}}},
    "another key": lambda node: {"anything": [{"x": (node,)}]},
}


@pytest.mark.parametrize("target", OWN)
def test_a_stored_config_may_call_the_targets_of_dlcourses_configs(target):
    check_trust({"model": {"_target_": target}})


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("target", FOREIGN)
def test_a_stored_config_may_call_nothing_else_anywhere_in_it(target, shape):
    config = SHAPES[shape]({"_target_": target})
    with pytest.raises(UserError, match=r"type trust=\["):
        check_trust(config)
    if target == "os.system":
        check_trust(config | {"trust": ["os"]})
        with pytest.raises(UserError):
            check_trust(config | {"trust": ["o", "os.path"]})


STRANGE = [
    "hydra.run.dir=x", "+hydra.job.env_set.PATH=x", "hydra/job_logging=x", "~hydra/launcher",
    "hydra={launcher: {_target_: os.system}}", "model@hydra.launcher=mlp", "+optim@x:hydra=adam",
    "hydra.searchpath=[file:///tmp]", "hydra/sweeper=basic", "hydra/launcher@x=basic",
    "--config-dir=evil", "--experimental-rerun", "-m", "",
]  # fmt: skip


@pytest.mark.parametrize("override", STRANGE)
def test_stored_overrides_may_set_no_flag_and_no_hydra_option(override, tmp_path):
    with pytest.raises(UserError, match="not an override that dlcourse stores"):
        check_overrides(["model=mlp", override], tmp_path)


@pytest.mark.parametrize("junk", [3, None, "model=mlp", {"model": "mlp"}, ["model=mlp", 3]])
def test_stored_overrides_that_are_no_list_of_texts_are_refused(junk, tmp_path):
    with pytest.raises(UserError, match="list of overrides"):
        check_overrides(junk, tmp_path)


def test_every_override_that_a_run_or_a_sweep_stores_is_accepted(tmp_path):
    own = [
        "model=mlp", "optim.lr@sgd=0.1,0.2", "+model.x=3", "++a.b=c", "~clip", "augment=[crop]",
        "data.root='a b'", "hydra.sweep.dir=x", "hydra/launcher=ray",
        "+hydra.launcher.partition=gpu", "sweep.storage=sqlite:///x",
    ]  # fmt: skip
    assert check_overrides(own, tmp_path) == own


CALLS: list = []


def called(**keywords: object) -> dict:
    """Record that a target of a config was called."""
    CALLS.append(keywords)
    return keywords


def takes(inner: object = None, other: object = None) -> None:
    """Accept two keywords and no others."""


HERE = f"{__name__}."
CALLED = {"_target_": f"{HERE}called", "a": 1}


@pytest.mark.parametrize(
    "wrong",
    [
        {"_target_": f"{HERE}takes", "inner": CALLED, "x": 1},
        {"_target_": f"{HERE}takes", "x": CALLED},
        {"_target_": f"{HERE}takes", "inner": CALLED, "other": {"_target_": f"{HERE}nothing"}},
        {"_target_": f"{HERE}takes", "inner": [CALLED, {"_target_": f"{HERE}takes", "x": 1}]},
        {"_target_": f"{HERE}takes", "inner": {"_target_": f"{HERE}takes", "x": CALLED}},
    ],
)
def test_no_target_is_called_before_the_arguments_of_all_are_checked(wrong):
    CALLS.clear()
    with pytest.raises(UserError):
        fill(wrong)
    assert not CALLS
    fill({"_target_": f"{HERE}takes", "inner": [CALLED]})  # the same, and right
    assert CALLS == [{"a": 1}]


def sweep_of(folder: Path, overrides: list[str], **keys: object) -> None:
    """Write the record of a sweep as an attacker could."""
    folder.mkdir()
    record = {
        "words": ["model=mlp", "data.examples=60", "max_epochs=1", "seed=0,1", *overrides],
        "config_dir": None, "identity": "", "method": "grid", "keys": ["seed"], "threads": 1,
        "monitor": "val/accuracy", "mode": "max", "points": [], "streams": CURRENT,
    } | keys  # fmt: skip
    (folder / "sweep.json").write_text(json.dumps(record))


TOUCH = "{_target_: pathlib.Path.touch, self: {_target_: pathlib.Path, a: PWNED}}"


def test_a_sweep_from_an_unknown_source_runs_no_code(here, tmp_path):
    harmless = "The folder sweep holds another sweep"  # it stops here: the identity is wrong
    cases = [
        ([f"+model.x={TOUCH}"], [], ["The stored config calls pathlib.Path.touch", "trust=["]),
        ([f"+model.x={TOUCH}", "trust=[pathlib]"], [], ["The stored config calls pathlib"]),
        ([f"+model.x={TOUCH}"], ["trust=[pathlib]"], [harmless]),
        (["--config-dir=evil"], [], ["--config-dir=evil", "not an override"]),
        (["hydra/sweeper=basic"], [], ["hydra/sweeper=basic", "not an override"]),
        (["hydra.launcher.setup=[ls]"], [], ["train.py resume=sweep hydra.launcher.setup=[ls]"]),
        (["sweep.storage=sqlite:///x.db"], [], ["resume=sweep sweep.storage=sqlite:///x.db"]),
        ([], [], [harmless]),
    ]
    for stored, typed, messages in cases:
        sweep_of(tmp_path / "sweep", stored)
        ended = here("resume=sweep", *typed)
        assert ended.returncode == 2, stored
        assert "Traceback" not in ended.stderr
        for message in messages:
            assert message in ended.stderr
        (tmp_path / "sweep/sweep.json").unlink()
        assert not list((tmp_path / "sweep").iterdir())
        (tmp_path / "sweep").rmdir()
        assert not (tmp_path / "PWNED").exists()


def test_the_config_dir_of_a_stored_sweep_must_be_typed_again(here, tmp_path):
    (tmp_path / "evil/model").mkdir(parents=True)
    text = f"# evil\ndefaults: [mlp, _self_]\nx: {TOUCH}\n"
    (tmp_path / "evil/model/own.yaml").write_text(text)
    sweep_of(tmp_path / "sweep", ["model=own"], config_dir="evil")
    refused = here("resume=sweep")
    assert refused.returncode == 2
    assert "train.py resume=sweep --config-dir evil" in refused.stderr
    typed = here("resume=sweep", "--config-dir", "evil")  # what they call must be trusted as well
    assert "The stored config calls pathlib.Path.touch" in typed.stderr
    assert not (tmp_path / "PWNED").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"points": [{"number": 0, "words": [], "jobs": ["../../x"]}]}, {"points": [{}]}, {"points": 3},
     {"config_dir": 3}, {"threads": "2"}, {"words": "model=mlp"}, {"words": [3]}, {"other": 1}],
)  # fmt: skip
def test_a_sweep_record_of_another_form_is_refused(here, tmp_path, wrong):
    sweep_of(tmp_path / "sweep", [], **wrong)
    ended = here("resume=sweep")
    assert ended.returncode == 2
    assert "sweep.json" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_stored_study_that_can_run_code_must_be_trusted():
    with pytest.raises(UserError, match=r"type trust=\[cmaes\]"):
        check_stored_state("cmaes", [])
    check_stored_state("cmaes", ["cmaes"])
    check_stored_state("tpe", [])


def test_a_password_is_not_stored():
    address = "sweep.storage=postgresql://me:secret@host:5432/study"
    assert storable_overrides([address, "resume=x", "optim.lr=0.1"]) == [
        "sweep.storage=postgresql://me:***@host:5432/study",
        "optim.lr=0.1",
    ]


def test_the_records_of_these_tests_have_the_form_of_a_real_one(tmp_path):
    sweep_of(tmp_path / "sweep", [])
    assert Manifest(**json.loads((tmp_path / "sweep/sweep.json").read_text())).keys == ["seed"]
