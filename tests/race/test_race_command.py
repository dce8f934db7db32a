"""The command: its files, its table, and one message for each mistake."""

import json
import sys

import pytest
from PIL import Image

from dlcourse.commands import race as command
from dlcourse.commands.main import run_command
from dlcourse.errors import UserError
from dlcourse.race import animation
from dlcourse.race.arguments import read_race
from dlcourse.race.outcome import ranked
from dlcourse.race.table import race_table
from dlcourse.race.write_race import as_json, run_race


@pytest.fixture
def type_race(tmp_path, monkeypatch, capsys):
    """Return a function that runs ``dlcourse race`` in an empty folder and returns its output.

    The animation has only 5 frames.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(animation, "FRAMES", 5)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dlcourse race", *arguments])
        run_command("race")
        return capsys.readouterr().out

    return run


def test_a_race_writes_its_plots_its_animation_and_its_numbers(type_race, tmp_path):
    printed = type_race("optim=sgd,adam,gd", "steps=20", "lr=0.05,0.2")
    (folder,) = (tmp_path / "outputs/race").iterdir()
    assert folder.name.endswith("-ravine")
    assert f"outputs/race/{folder.name}" in printed
    names = {"paths.png", "paths.svg", "loss.png", "loss.svg", "race.gif", "race.json"}
    assert {file.name for file in folder.iterdir()} == names
    assert "diverged after step" in printed
    assert "takes the same path as sgd lr=0.05" in printed
    numbers = json.loads((folder / "race.json").read_text())
    assert [one["label"] for one in numbers["racers"][:2]] == ["sgd lr=0.05", "sgd lr=0.2"]
    assert numbers["racers"][1]["state"] == "diverged"
    assert len(numbers["racers"][0]["path"]) == 21
    with Image.open(folder / "race.gif") as image:
        assert image.n_frames == 5
        assert image.size == (700, 620)
    assert (folder / "race.gif").stat().st_size < 3_000_000


def test_a_surface_of_ones_own_is_raced_on_from_its_module(type_race, tmp_path, monkeypatch):
    (tmp_path / "my_race_bowl.py").write_text(
        "def bowl(x, y):\n    return x**2 + 3 * y**2\n\nbowl.start = (1, 1)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    printed = type_race("optim=sgd", "surface=my_race_bowl.bowl", "steps=5", "lr=0.1")
    assert "my_race_bowl.bowl: 1 path, 5 steps from (1, 1)" in printed
    (folder,) = (tmp_path / "outputs/race").iterdir()
    found = json.loads((folder / "race.json").read_text())
    assert found["minima"][0] == pytest.approx([0, 0], abs=1e-6)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_terminal(width):
    race = read_race(["optim=momentum,lbfgs", "steps=5", "momentum.momentum=0.5,0.9"], "")
    race, outcomes = run_race(race)
    lines = race_table(ranked(outcomes), width)
    assert max(map(len, lines)) <= width
    assert sum("momentum momentum=0.5" in line for line in lines) == 1
    assert json.dumps(as_json(race, outcomes), allow_nan=False)


def test_an_option_of_all_is_for_those_that_have_it_and_one_of_a_name_is_preferred():
    race = read_race(["optim=sgd,adam", "optim.betas=[0.5,0.9]", "lr=0.3", "adam.lr=0.4"], "")
    sgd, adam = (racer.config["optim"] for racer in race.racers)
    assert (sgd["lr"], adam["lr"], adam["betas"]) == (0.3, 0.4, [0.5, 0.9])


def test_of_several_schedules_those_that_have_an_option_get_it():
    schedules = "schedule=constant,inverse_time"
    race = read_race(["optim=sgd", schedules, "schedule.rate=0.1,0.2", "lr=0.1"], "")
    assert [racer.label for racer in race.racers] == [
        "sgd schedule=constant",
        "sgd schedule=inverse_time schedule.rate=0.1",
        "sgd schedule=inverse_time schedule.rate=0.2",
    ]
    assert [racer.config["schedule"].get("rate") for racer in race.racers] == [None, 0.1, 0.2]


def test_an_optimizer_of_ones_own_races_with_the_rate_of_its_config(tmp_path, monkeypatch):
    (tmp_path / "configs/optim").mkdir(parents=True)
    (tmp_path / "configs/optim/my_sgd.yaml").write_text(
        "_target_: torch.optim.SGD\n_partial_: true\nlr: 0.03\nweight_decay: 0.0\n"
        "decay_all: false\n"
    )
    race = read_race(["optim=my_sgd"], "", str(tmp_path / "configs"))
    assert race.racers[0].rate == "0.03"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["surface=rosenbrok"], "surface=rosenbrok is not there; did you mean rosenbrock"),
        (["optim=adem"], "optim=adem is not there; did you mean adam"),
        (["optim=muon"], "optim=muon cannot race: it orthogonalises matrices"),
        (["start=1"], "start=1 is not allowed: start takes 2 numbers"),
        (["start=nan,1"], "start=nan,1 is not allowed"),
        (["start=a,b"], "start=a,b is not allowed"),
        (["steps=0"], "steps=0 is not allowed: steps takes a whole number"),
        (["steps=1e9"], "steps=1e9 is not allowed"),
        (["noise=-1"], "noise=-1 is not allowed"),
        (["window=1,0,0,1"], "left must be less than right"),
        (["adam.lr=-1", "optim=adam"], "adam.lr=-1 is not allowed: adam.lr takes a number above 0"),
        (["lr=0"], "optim.lr=0 is not allowed"),
        (
            ["adam.lrr=1", "optim=adam"],
            "adam.lrr is not a key of this config; did you mean adam.lr",
        ),
        (["optim.rho=0.1", "optim=sgd"], "No optimizer of this race has optim.rho"),
        (["model.width=3"], "model.width=3 is not an option of this race"),
        (["nadam.lr=1"], "nadam.lr=1 is not an option of this race; did you mean adam"),
        (["optim=all", "lr=0.1,0.2"], "This race has 26 paths"),
        (["surfaces=beale"], "surfaces=beale is not understood; did you mean surface"),
        (["beale", "adam", "steps=5"], "beale is a surface, and options are typed key=value."),
        (["sgd,adam", "steps=5"], "race.py optim=sgd,adam steps=5"),
        (["--steps", "5"], "--steps is not understood"),
        (["--config-dir", "nowhere"], "--config-dir nowhere is not a folder"),
    ],
)
def test_a_mistake_gets_one_message_before_pytorch_is_imported(args, message):
    with pytest.raises(UserError) as raised:
        command.main(args)
    assert message in str(raised.value).replace("\n", " ")
