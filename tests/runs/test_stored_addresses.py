"""A stored config sends a run nowhere."""

import pytest
from conftest import composed

from dlcourse.runs.stored_addresses import stay_local


@pytest.mark.parametrize(
    ("tracker", "option", "sent", "kept"),
    [
        ("wandb", "mode", "online", "disabled"),
        ("mlflow", "uri", "http://elsewhere:5000", "sqlite:///own.db"),
        ("aim", "repo", "aim://elsewhere:53800", "/own/folder"),
    ],
)
def test_only_addresses_elsewhere_are_replaced(tracker, option, sent, kept, capsys):
    config = composed(f"observe=[console,{tracker}]")
    default = config["observe"][tracker][option]
    for value, left in ((kept, kept), (sent, default), (default, default)):
        config["observe"][tracker][option] = value
        stay_local(config)
        assert config["observe"][tracker][option] == left
        said = capsys.readouterr().out
        assert (f"observe.{tracker}.{option}={sent} is not taken" in said) == (value == sent)


def test_a_run_is_resumed_and_trained_again_without_its_address(here, tmp_path):
    small = ["model=linear", "data.examples=40", "max_epochs=1", "runtime=cpu"]
    sent = ["observe=[history]", "hydra.run.dir=run"]
    assert here(*small, *sent).returncode == 0
    path = tmp_path / "run/.hydra/config.yaml"
    tracker = "  wandb: {_target_: dlcourse.observe.wandb.Wandb, _partial_: true, mode: online, "
    tracker += "project: null, entity: null, group: null, name: null, tags: [], weights: false, "
    path.write_text(path.read_text().replace("observe:\n", f"observe:\n{tracker}patience: 60}}\n"))
    resumed = here("resume=run")
    assert "observe.wandb.mode=online is not taken from a stored config" in resumed.stdout
    again = here("run", "max_epochs=2", "observe=[history]", script="scripts/rerun.py")
    assert again.returncode == 0, again.stderr
    assert "online" not in again.stdout  # the command names its observers
