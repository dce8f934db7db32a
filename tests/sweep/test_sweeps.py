"""Sweeps from the command line: running, failing, resuming, refusing."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import ROOT
from PIL import Image

from dlcourse.terminal import live_line

SMALL = ["data.examples=60", "max_epochs=2", "model=mlp", "observe=[history]"]


@pytest.fixture
def sweep(here):
    """Return a function that does what ``python train.py`` does.

    Jobs still run in processes of their own, forked from one that the tests share.
    """
    return here


def folder_of(tmp_path: Path) -> Path:
    (record,) = tmp_path.glob("outputs/sweeps/*/sweep.json")
    return record.parent


def results(folder: Path) -> dict[str, dict]:
    return {path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/result.json")}


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_sweep_runs_every_combination_and_writes_tables(sweep, tmp_path):
    ended = sweep("-m", *SMALL, "optim=sgd,adam", "optim.lr=0.1,0.01")
    assert ended.returncode == 0, ended.stderr
    folder = folder_of(tmp_path)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-optim_lr", folder.name)
    names = {f"optim-{optim}_lr-{rate}" for optim in ("sgd", "adam") for rate in (0.1, 0.01)}
    assert results(folder).keys() == names
    for name in ("results.csv", "results.md", "results.tex"):
        assert (folder / name).stat().st_size > 0
    assert len((folder / "results.csv").read_text().splitlines()) == 5
    assert ended.stdout.count("val/accuracy") >= 5
    assert "[4/4]" in ended.stdout

    before = stamps(folder / "optim-adam_lr-0.1")
    again = sweep("-m", *SMALL, "optim=sgd,adam", "optim.lr=0.1,0.01")
    assert again.returncode == 0, again.stderr
    assert "[1/" not in again.stdout
    assert stamps(folder / "optim-adam_lr-0.1") == before
    assert folder_of(tmp_path) == folder


def test_a_job_of_a_sweep_equals_the_same_run_alone_to_the_last_bit(sweep, tmp_path, command):
    overrides = [*SMALL, "model.dropout=0.3", "augment=[noise]", "optim=adam"]
    ended = sweep("-m", *overrides, "seed=3,5,4", "workers=2", "runtime.threads=1")
    assert ended.returncode == 0, ended.stderr
    command(*overrides, "seed=4", "runtime.threads=1", "hydra.run.dir=alone").check_returncode()
    jobs = {seed: folder_of(tmp_path) / f"seed-{seed}" for seed in (3, 4, 5)}

    def weights(folder):
        return torch.load(folder / "checkpoints/last.pt", weights_only=True)["model"]

    alone = weights(tmp_path / "alone")
    assert all(torch.equal(alone[name], value) for name, value in weights(jobs[4]).items())
    assert not all(torch.equal(alone[name], value) for name, value in weights(jobs[3]).items())
    assert (jobs[4] / ".hydra/config.yaml").read_text() == (
        tmp_path / "alone/.hydra/config.yaml"
    ).read_text()


def own_model(folder: Path) -> list[str]:
    """Write a model that fails on request; return the overrides that select it."""
    (folder / "my_configs/model").mkdir(parents=True)
    (folder / "my_configs/model/trouble.yaml").write_text(
        "# a net in trouble\n_target_: my_trouble.Trouble\n_partial_: true\nhow: fine\nunits: 8\n"
    )
    (folder / "my_trouble.py").write_text(
        "import math, os, signal\nfrom torch import nn\n\n\nclass Trouble(nn.Sequential):\n"
        "    def __init__(self, input_shape, output_size, *, how, units):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(math.prod(input_shape), units),\n"
        "                         nn.ReLU(), nn.Linear(units, output_size))\n"
        "        self.how = how\n\n"
        "    def forward(self, inputs):\n"
        "        if self.training and not os.path.exists('repaired'):\n"
        "            if self.how == 'raise':\n"
        "                raise ValueError('this net is broken')\n"
        "            if self.how == 'exit':\n"
        "                os._exit(3)\n"
        "            if self.how == 'kill':\n"
        "                os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().forward(inputs)\n"
    )
    return ["--config-dir", "my_configs", "-m", "model=trouble", *SMALL[:2], "observe=[history]"]


def test_jobs_that_raise_exit_or_are_killed_stop_no_others_and_only_they_run_again(
    sweep, tmp_path, monkeypatch
):
    overrides = own_model(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    overrides += ["model.how=fine,raise,exit,kill", "model.units=8,9", "workers=2", "sweep=zip"]
    overrides[overrides.index("model.units=8,9")] = "model.units=8,9,10,11"
    ended = sweep(*overrides)
    assert ended.returncode == 1
    folder = folder_of(tmp_path)
    assert results(folder).keys() == {"how-fine_units-8"}
    reasons = {
        path.parent.name: json.loads(path.read_text()) for path in folder.glob("*/failure.json")
    }
    assert (
        "ValueError in my_trouble.py, line 14: this net is broken"
        in reasons["how-raise_units-9"]["reason"]
    )
    assert "status 3" in reasons["how-exit_units-10"]["reason"]
    assert "SIGKILL" in reasons["how-kill_units-11"]["reason"]
    assert ended.stdout.count("FAILED") == 3
    assert "Traceback" in (folder / "how-raise_units-9/output.txt").read_text()
    assert f"resume={folder.relative_to(tmp_path)}" in ended.stderr
    before = stamps(folder / "how-fine_units-8")
    (tmp_path / "repaired").touch()
    refused = sweep(f"resume={folder.relative_to(tmp_path)}")
    assert refused.returncode == 2
    assert "--config-dir my_configs" in refused.stderr
    shown = ended.stderr.rpartition("train.py ")[2]
    assert "trust=[my_trouble] --config-dir my_configs" in shown
    again = sweep(*shlex.split(shown))
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("val/accuracy") >= 3
    assert len(results(folder)) == 4
    assert not list(folder.glob("*/failure.json"))
    assert stamps(folder / "how-fine_units-8") == before


def test_on_error_retries_a_failed_job_or_stops_the_sweep(sweep, tmp_path, monkeypatch):
    overrides = own_model(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    ended = sweep(*overrides, "model.how=raise,fine", "on_error=retry:2", "hydra.sweep.dir=retry")
    assert ended.returncode == 1
    assert ended.stdout.count("runs once more") == 2
    assert json.loads((tmp_path / "retry/how-raise/failure.json").read_text())["attempts"] == 3
    assert (tmp_path / "retry/how-fine/result.json").exists()
    ended = sweep(*overrides, "model.how=raise,fine", "on_error=stop", "hydra.sweep.dir=stop")
    assert ended.returncode == 1
    assert not (tmp_path / "stop/how-fine").exists()


def test_a_diverged_job_is_reported_and_not_retried(sweep, tmp_path):
    overrides = ["loss=mse", "optim=sgd", "optim.lr=900,0.01", "monitor=val/loss", "mode=min"]
    ended = sweep("-m", *SMALL[:1], *SMALL[2:], "max_epochs=9", *overrides, "on_error=retry:3")
    assert ended.returncode == 1
    assert ended.stdout.count("FAILED: Training diverged") == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert results(folder_of(tmp_path)).keys() == {"lr-0.01"}


def test_seeds_repeat_every_point_and_duplicates_run_once(sweep, tmp_path):
    ended = sweep("-m", *SMALL, "optim.lr=0.1,0.01,0.1", "seeds=2", "seed=7")
    assert ended.returncode == 0, ended.stderr
    folder = folder_of(tmp_path)
    assert results(folder).keys() == {f"lr-{r}_seed-{s}" for r in (0.1, 0.01) for s in (7, 8)}
    record = json.loads((folder / "sweep.json").read_text())
    assert [point["values"] for point in record["points"]] == [
        {"optim.lr": "0.1"}, {"optim.lr": "0.01"}, {"optim.lr": "0.1"},
    ]  # fmt: skip
    assert len((folder / "results.csv").read_text().splitlines()) == 4


def test_a_finished_search_resumes_with_more_trials(sweep, tmp_path):
    overrides = ["-m", *SMALL, "max_epochs=1", "sweep=optuna", "sweep.trials=2"]
    overrides += ["optim=sgd,adam", "optim.momentum=interval(0,0.9)"]
    overrides += ["optim.lr=tag(log,interval(0.001,0.1))"]
    ended = sweep(*overrides)
    assert ended.returncode == 0, ended.stderr
    folder = folder_of(tmp_path)
    before = stamps(folder / next(iter(results(folder))))
    more = sweep(f"resume={folder.relative_to(tmp_path)}", "sweep.trials=3")
    assert more.returncode == 0, more.stderr
    assert "[3/3]" in more.stdout
    assert len(results(folder)) == 3
    assert len((folder / "results.csv").read_text().splitlines()) == 4
    assert before.items() <= stamps(folder).items()
    points = json.loads((folder / "sweep.json").read_text())["points"]
    assert [point["number"] for point in points] == [0, 1, 2]
    for values in (point["values"] for point in points):
        assert ("optim.momentum" in values) == (values["optim"] == "sgd")


def test_a_job_that_streams_its_images_finishes(sweep, tmp_path):
    for name in "ab":
        (tmp_path / f"images/train/{name}").mkdir(parents=True)
        for number in range(8):
            image = Image.new("L", (8, 8), 10 * number + 100 * (name == "b"))
            image.save(tmp_path / f"images/train/{name}/{number}.png")
    overrides = ["data=image_folder", "data.root=images", "data.size=8", "data.channels=1",
                 "data.memory=0", "data.workers=1"]  # fmt: skip
    ended = sweep("-m", *overrides, *SMALL[1:], "max_epochs=1", "seed=0,1")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(results(folder_of(tmp_path))) == 2


def test_check_true_runs_no_job(sweep, tmp_path):
    overrides = ("model.widths=[16],[32]", "model.activation=leaky_relu:0.2,elu:2")
    overrides += ("augment=[dropout]", "regularizer=[l2],[]")
    ended = sweep("-m", *SMALL, *overrides, "check=true")
    assert ended.returncode == 0, ended.stderr
    for value in ("[16]", "[l2]", "leaky_relu:0.2"):
        assert f" {value} " in ended.stdout, "a value is shown as it was typed"
    assert f"{784 * 16 + 16 + 170:,}" in ended.stdout
    assert f"{784 * 32 + 32 + 330:,}" in ended.stdout
    assert not (tmp_path / "outputs").exists()


def test_keys_that_only_some_options_have_are_checked_with_those_alone(sweep):
    ended = sweep(
        "-m", *SMALL, "check=true", "optim=sgd,adam", "optim.momentum=0.5", "optim.lr@adam=1"
    )
    assert ended.returncode == 0, ended.stderr
    assert "2 jobs would run" in ended.stdout


def test_errors_that_only_torch_detects_are_reported_before_the_first_job(sweep, tmp_path):
    ended = sweep("-m", *SMALL, "split=stratified_kfold", "split.folds=2,5,40", "+optim.speed=1,2")
    assert ended.returncode == 2
    assert "'speed'" in ended.stderr
    assert "6 of 6 points cannot be run; nothing was started" in ended.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.fixture(scope="module")
def killed(tmp_path_factory, data_root):
    """Return the folder of a sweep that was killed, resumed, and stopped by Ctrl-C."""
    here = tmp_path_factory.mktemp("killed")
    overrides = ["-m", "model=mlp", "data.examples=400", "batch_size=4", "model.dropout=0.2",
                 "max_epochs=8", "stop=never", "optim.lr=0.01,0.001", "seeds=2", "workers=2",
                 "observe=[history]"]  # fmt: skip

    def start(*more):
        return subprocess.Popen(
            [sys.executable, str(ROOT / "train.py"), *more],
            cwd=here,
            env={**os.environ, "DLCOURSE_DATA": str(data_root)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def epochs():
        return sum(len(p.read_text().splitlines()) for p in here.glob("parts/*/history.jsonl"))

    def is_here(link):
        try:
            return os.readlink(link) == str(here.resolve())
        except OSError:  # a process that has ended since it was listed
            return False

    def processes():
        return sum(map(is_here, Path("/proc").glob("[0-9]*/cwd")))

    alive = []
    for least, number in ((3, signal.SIGKILL), (14, signal.SIGINT)):
        process = start(*([*overrides, "hydra.sweep.dir=parts"] if not alive else ["resume=parts"]))
        until = time.monotonic() + 60
        while epochs() < least and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        alive.append(processes())
        process.send_signal(number)
        process.wait(timeout=60)
        until = time.monotonic() + 5
        while processes() and time.monotonic() < until:
            time.sleep(0.01)
        alive.append(processes())
        _, stderr = process.communicate(timeout=60)
    return SimpleNamespace(here=here, overrides=overrides, stderr=stderr.decode(), alive=alive)


def test_a_killed_and_resumed_sweep_ends_like_an_uninterrupted_one(killed, sweep, monkeypatch):
    assert "Stopped. To resume: " in killed.stderr
    assert "train.py resume=parts" in killed.stderr
    monkeypatch.chdir(killed.here)
    assert sweep("resume=parts").returncode == 0
    assert sweep(*killed.overrides, "hydra.sweep.dir=whole").returncode == 0
    names = sorted(path.name for path in killed.here.glob("whole/lr*"))
    assert len(names) == 4
    for name in names:
        ends = []
        for kind in ("parts", "whole"):
            job = killed.here / kind / name
            state = torch.load(job / "checkpoints/last.pt", weights_only=True)
            lines = [json.loads(line) for line in (job / "history.jsonl").read_text().splitlines()]
            for line in lines:
                del line["seconds"], line["examples_per_second"]
            ends.append((state["model"], lines))
        (first, first_lines), (second, second_lines) = ends
        assert first_lines == second_lines
        assert len(first_lines) == 8
        assert all(torch.equal(value, second[key]) for key, value in first.items())


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="the system has no /proc")
def test_no_job_outlives_a_killed_or_interrupted_sweep(killed):
    running, after_sigkill, running_again, after_sigint = killed.alive
    assert min(running, running_again) > 2  # the sweep, its jobs and the process that forks them
    assert after_sigkill == after_sigint == 0


def test_two_sweeps_never_share_a_folder(sweep, tmp_path):
    overrides = ["-m", *SMALL, "hydra.sweep.dir=here", "optim.lr=0.1,0.01"]
    assert sweep(*overrides).returncode == 0
    other = sweep(*overrides, "model.dropout=0.5")
    assert other.returncode == 2
    assert "another sweep" in other.stderr
    more = sweep("resume=here", "optim.lr=0.5")
    assert more.returncode == 2
    assert "optim.lr=0.5 would make it another sweep" in more.stderr
    assert sweep("resume=here", "workers=2").returncode == 0


WRONG = [
    (["optim.lr="], ["optim.lr"]),
    (["model=glob(nothing*)"], ["model=glob(nothing*)", "no value"]),
    (["resume=a,b"], ["resume"]),
    (["workers=1,2"], ["workers cannot be swept"]),
    (["data.root=a,b"], ["data.root cannot be swept"]),
    (["workers=0", "seed=1,2"], ["workers=0", "at least 1"]),
    (["seeds=0", "seed=1,2"], ["seeds=0"]),
    (["seeds=2", "seed=1,2"], ["seeds=2", "seed is swept as well"]),
    (["on_error=retry", "seed=1,2"], ["on_error=retry", "retry:<times>"]),
    (["optim.lr=interval(0.1,1)"], ["optim.lr is an interval", "sweep=random"]),
    (["sweep=zip", "optim.lr=0.1,1", "seed=1,2,3"], ["optim.lr 2, seed 3"]),
    (["batch_size=range(1,3,0.5)"], ["batch_size takes whole numbers", "0.5"]),
    (["sweep=random", "batch_size=interval(1.5,3)"], ["whole numbers"]),
    (["sweep=random", "optim.lr=interval(1,0.1)"], ["from a smaller number"]),
    (["sweep=random", "optim.lr=tag(log,interval(0,1))"], ["log scale"]),
    (["sweep=random", "optim.lr=interval(-1,1)"], ["optim.lr="]),
    (["sweep=random", "sweep.draws=0", "optim.lr=interval(0.1,1)"], ["sweep.draws=0"]),
    (["optim=sgd,adam", "optim.rho=0.5,0.6"], ["optim.rho belongs to no option of optim=sgd,adam"]),
    (["optim=sgd,adam", "optim.lr@rmsprop=0.5,0.6"], ["optim.lr@rmsprop belongs to no option"]),
    (["optim.lr=0.1,-1", "seed=1,2"], ["optim.lr=-1", "2 of 4 points", "nothing was started"]),
    (["model=mlp,lenett"], ["model=lenett", "did you mean lenet"]),
    (["sweep=gird", "seed=1,2"], ["sweep=gird", "did you mean grid"]),
    (["sweep=optuna", "sweep.storage=sqlite:////no/such/folder/x.db", "optim.lr=interval(0.1,1)"],
     ["sweep.storage=sqlite:////no/such/folder/x.db"]),
    (["sweep=optuna", "sweep.storage=nonsense", "optim.lr=interval(0.1,1)"], ["nonsense"]),
    (["split=nested", "split.outer=90", "split.inner=2000", "seed=1,2"], ["split.inner=2000"]),
    (["hydra.sweep.dir=/proc/no/such", "seed=1,2"], ["/proc/no/such", "hydra.sweep.dir"]),
]  # fmt: skip


@pytest.mark.parametrize(("overrides", "parts"), WRONG, ids=lambda part: " ".join(part))
def test_an_invalid_sweep_gets_one_message_and_starts_nothing(
    overrides, parts, sweep, tmp_path, monkeypatch
):
    monkeypatch.setattr(live_line, "SECONDS_BEFORE_LINE", 600)  # "checking ...", on a slow machine
    ended = sweep("-m", *SMALL[1:], "data.examples=100", *overrides)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert ended.stderr.startswith("dlcourse: ")
    assert "Traceback" not in ended.stderr
    for part in parts:
        assert part in ended.stderr
    assert not list(tmp_path.glob("outputs/sweeps/*/*/"))
