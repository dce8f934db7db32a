"""The list of runs: what it reads, selects, sorts and shows."""

import csv
import json
import os

import filelock
import pytest
from run_folders import held_out, write_run

from dlcourse.commands import runs as command
from dlcourse.errors import UserError
from dlcourse.report.run_conditions import read_condition, selected, sort_key
from dlcourse.report.run_list import ListedSweep, list_runs
from dlcourse.report.run_table import runs_table


def result(val, **more):
    options = {"model": more.pop("model", "mlp"), "data": "digits", "optim": "adam"}
    metrics = {"val": {"accuracy": val}, "test": {"accuracy": val - 0.01}}
    return held_out(val) | metrics | {"options": options, "note": None, "tags": []} | more


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    """Return a folder with runs in every state, and a sweep, and change into the one above it."""
    monkeypatch.chdir(tmp_path)
    top = tmp_path / "outputs"
    write_run(top / "day/a", "optim.lr=0.1", ending=result(0.9, note="first try", tags=["base", 1]))
    write_run(top / "day/b", "optim.lr=0.01", ending=result(0.95, model="lenet"))
    write_run(top / "day/stopped", "note=later")
    (top / "day/stopped/history.jsonl").write_text('{"epoch": 1}\n{"epoch": 2}\n{"epo')
    write_run(
        top / "day/lost", ending={"reason": "The loss is nan", "status": 1}, name="failure.json"
    )
    write_run(top / "folds", ending=None)
    write_run(top / "folds/fold0", ending=result(0.5))
    for rate in (0.1, 0.2):
        write_run(top / f"sweep/lr-{rate}", f"optim.lr={rate}", ending=result(rate))
    points = [{"values": {}, "jobs": [f"lr-{rate}"]} for rate in (0.1, 0.2, 0.3)]
    (top / "sweep/sweep.json").write_text(json.dumps({"points": points}))
    for number, path in enumerate(sorted(top.rglob("hydra.yaml"))):
        os.utime(path, (1_700_000_000 + 60 * number, 1_700_000_000 + 60 * number))
    return top


def by_name(outputs):
    return {entry.folder.name: entry for entry in list_runs(outputs)}


def test_every_run_has_its_state_and_a_sweep_is_one_line(outputs):
    states = {name: entry.state_text for name, entry in by_name(outputs).items()}
    assert states == {
        "a": "finished",
        "b": "finished",
        "stopped": "stopped, epoch 2",
        "lost": "failed, before epoch 1",
        "folds": "stopped, 1 fold done",
        "sweep": "sweep of 3: 2 finished, 1 missing",
    }
    sweep = by_name(outputs)["sweep"]
    assert isinstance(sweep, ListedSweep)
    assert sweep.best is not None
    assert sweep.best.folder.name == "lr-0.2"


def test_a_run_that_a_process_has_locked_is_running(outputs):
    with filelock.FileLock(outputs / "day/stopped/.hydra/lock"):
        assert by_name(outputs)["stopped"].state_text == "running, epoch 2"
    assert by_name(outputs)["stopped"].state_text == "stopped, epoch 2"


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        (["model=lenet"], "b"),
        (["model=le*"], "b"),
        (["model!=lenet", "state=finished"], "a lr-0.1 lr-0.2"),
        (["tag=base"], "a"),
        (["tag=1"], "a"),
        (["note=TRY"], "a"),
        (["state=failed"], "lost"),
        (["test/accuracy>0.9"], "b"),
        (["best<=0.2"], "lr-0.1 lr-0.2"),
        (["optim.lr=0.10"], "a lr-0.1"),
        (["optim.lr<0.05"], "b folds lost stopped"),
        (["folder=sweep", "optim.lr>0.1"], "lr-0.2"),
        (["since=2000-01-01", "until=2001-01-01"], ""),
    ],
)
def test_conditions_select_runs(conditions, names, outputs):
    runs = list(command.runs_of(list_runs(outputs)))
    found = selected(runs, [read_condition(text) for text in conditions])
    assert sorted(run.folder.name for run in found) == names.split()


def test_runs_are_sorted_with_the_best_or_the_newest_first(outputs):
    runs = [run for run in command.runs_of(list_runs(outputs)) if run.state == "finished"]
    for name, expected in (
        ("best", "b a lr-0.2 lr-0.1"),
        ("-best", "lr-0.1 lr-0.2 a b"),
        ("when", "lr-0.2 lr-0.1 b a"),
        ("optim.lr", "b a lr-0.1 lr-0.2"),
        ("test/accuracy", "b a lr-0.2 lr-0.1"),
    ):
        ordered = sorted(sorted(runs, key=lambda run: run.folder), key=sort_key(name, runs))
        assert " ".join(run.folder.name for run in ordered) == expected, name


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_terminal(width, outputs):
    text = runs_table(list(list_runs(outputs)), width)
    assert max(map(len, text.splitlines())) <= width
    assert "outputs/day/a" in text
    assert "0.9000" in text


def test_the_command_prints_the_table_and_how_to_resume_and_writes_all_as_csv(outputs, capsys):
    command.main(["last=2", "csv=all.csv"])
    shown = capsys.readouterr().out
    assert "2 of 6; last=all lists all" in shown
    rows = list(csv.DictReader((outputs.parent / "all.csv").read_text().splitlines()))
    assert len(rows) == 7
    assert {row["note"] for row in rows} == {"", "first try", "later"}
    command.main(["state=stopped"])
    assert "resume=outputs/" in capsys.readouterr().out
    command.main(["state=failed"])
    assert "outputs/day/lost failed: The loss is nan (status 1)" in capsys.readouterr().out
    command.main(["outputs/sweep"])
    assert "outputs/sweep/lr-0.1" in capsys.readouterr().out
    command.main(["since=1s"])
    assert capsys.readouterr().out == "None of the 7 runs in outputs matches since=1s.\n"


def test_a_folder_without_runs_gets_a_line_and_not_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command.main([])
    assert capsys.readouterr().out.startswith("There are no runs in outputs.\nType ")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("modle=lenet", "did you mean mode or model"),
        ("state=fail", "did you mean failed?"),
        ("nowhere", "There is no folder nowhere"),
        ("best>high", "compares with a number"),
        ("since=yesterday", "since=7d"),
        ("last=0", "last takes a whole number of at least 1"),
        ("sort=bset", "Type sort=when, best"),
    ],
)
def test_a_wrong_argument_gets_one_message(argument, message, outputs):
    with pytest.raises(UserError) as caught:
        command.main([argument])
    assert message in str(caught.value)
