"""A run that is trained again from its stored config."""

import json

import pytest
import yaml
from conftest import TINY
from test_migrate import older

from dlcourse.commands.rerun import comparison
from dlcourse.engine.assemble import make_model
from dlcourse.engine.job import run_job
from dlcourse.errors import UserError
from dlcourse.runs import start_record
from dlcourse.runs.again import prepare_again, read_origin, source_of
from dlcourse.runs.prepare import prepare_run
from dlcourse.runs.run_folder import read_result
from dlcourse.schema.compose import compose_job
from dlcourse.train.checkpoint import read_best

MODEL = ["model=mlp", "model.widths=[8]"]


@pytest.fixture
def first(tmp_path, data_root, monkeypatch):
    """Return the folder of a finished run, and change into the one above it."""
    monkeypatch.chdir(tmp_path)
    more = [*TINY, *MODEL, "optim.lr=0.01", f"data.root={data_root}", "hydra.run.dir=first"]
    run_job(**prepare_run(compose_job(more, None), more, None).arguments())
    return tmp_path / "first"


def trained_again(source, *overrides):
    run = prepare_again(source, overrides, None)
    run_job(**run.arguments())
    return run.folder


def weights(folder):
    model = make_model(start_record.stored_config(folder)["model"], (1, 28, 28), 10)
    read_best(model, folder)
    return {name: value.tolist() for name, value in model.state_dict().items()}


def test_the_same_run_has_bitwise_equal_weights(first):
    again = trained_again(first)
    assert weights(again) == weights(first)
    origin = read_origin(again) or {}
    assert origin["rerun_of"] == str(first)
    assert read_origin(first) is None
    results = read_result(first), read_result(again)
    assert comparison(first, *results) == "The same result as first, to the last digit"
    other = trained_again(first, "seed=1")
    assert weights(other) != weights(first)  # the control
    assert comparison(first, results[0], read_result(other)).startswith("val/accuracy 0.")


def test_an_older_config_is_completed_and_gives_the_same_weights(first):
    path = first / ".hydra/config.yaml"
    path.write_text(yaml.safe_dump(older(yaml.safe_load(path.read_text())) | {"random_streams": 2}))
    assert weights(trained_again(first)) == weights(first)


def test_what_is_stored_counts_and_not_todays_defaults(first):
    path = first / ".hydra/config.yaml"
    stored = yaml.safe_load(path.read_text())
    stored["stop"]["patience"], stored["optim"]["betas"] = 77, [0.5, 0.6]
    path.write_text(yaml.safe_dump(stored))
    config = prepare_again(first, ["max_epochs=3", "tags=[again]"], None).config
    assert config == start_record.stored_config(first) | {"max_epochs": 3, "tags": ["again"]}
    other = prepare_again(first, ["optim=sgd", "model.widths=[4,4]"], None).config
    assert other["optim"]["_target_"] == "torch.optim.SGD"
    assert "betas" not in other["optim"]
    assert other["optim"]["lr"] == 0.1  # of optim=sgd
    assert other["stop"]["patience"] == 77
    assert other["model"]["widths"] == [4, 4]
    rate = prepare_again(first, ["optim=sgd", "optim.lr=0.1"], None).config["optim"]["lr"]
    assert rate == 0.1  # also where it is today's default


def test_a_list_of_choices_is_replaced(first):
    config = prepare_again(first, ["metric=[accuracy]", "augment=[flip]"], None).config
    assert list(config["metric"]) == ["accuracy"]
    assert list(config["augment"]) == ["flip"]


def test_the_new_run_can_be_resumed_and_reported_as_any_other(first):
    again = trained_again(first, "seed=5")
    assert "seed=5" in start_record.stored_overrides(again)
    assert start_record.stored_choices(again)["model"] == "mlp"
    assert json.loads((again / "result.json").read_text())["options"]["seed"] == 5


def test_code_of_others_must_be_trusted(first):
    path = first / ".hydra/config.yaml"
    stored = yaml.safe_load(path.read_text())
    stored["model"]["_target_"] = "os.system"
    path.write_text(yaml.safe_dump(stored))
    with pytest.raises(UserError, match=r"calls os\.system.*\n.*trust=\[os\]"):
        prepare_again(first, [], None)


def test_a_fold_stands_for_its_run_and_a_sweep_is_refused(first):
    (first / "fold0").mkdir()
    assert source_of(first / "fold0").resolve() == first
    (first / "sweep.json").write_text("{}")
    with pytest.raises(UserError, match="holds a sweep"):
        source_of(first)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("resume=x", "rerun starts a new one"),
        ("seeds=3", "is for a sweep"),
        ("optim=sgd,adam", "has several values"),
        ("+optim.speed=1", "none is added or removed"),
        ("optim.momentum=0.9", "is not a key of this run"),
        ("optim.lr=-1", "optim.lr=-1 is not allowed"),
        ("model=lenett", "did you mean lenet"),
    ],
)
def test_what_cannot_be_run_again_is_refused_without_a_folder(override, message, first):
    with pytest.raises(UserError) as caught:
        prepare_again(first, [override], None)
    assert message in str(caught.value)
    assert not (first.parent / "outputs").exists()
