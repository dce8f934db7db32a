"""Sweeps through a launcher of Hydra, here one that runs the jobs in this process."""

import json
import os
import shlex
import signal
import sys
import types
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins

SMALL = ["data.examples=60", "max_epochs=1", "observe=[history]"]
MODEL = """\
import math, os
from torch import nn


class Odd(Exception):
    def __init__(self, one, other):
        super().__init__(f"{one} {other}")


class Trouble(nn.Sequential):
    def __init__(self, input_shape, output_size, *, how):
        super().__init__(nn.Flatten(), nn.Linear(math.prod(input_shape), output_size))
        self.how = how

    def forward(self, inputs):
        if self.training and not os.path.exists("repaired"):
            print("before the trouble")
            if self.how == "raise":
                raise Odd("this net", "is broken")
            if self.how == "die":
                os._exit(4)
        return super().forward(inputs)
"""


class Ray(BasicLauncher):
    """Gets results as Hydra's launcher for Ray does.

    broken: the error of every launch, if any. unseen: whether the jobs write to a folder that the
    sweep does not read. batches: of each launch, the number of jobs and the first job's index.
    folders: the folders of the sweeps.
    """

    broken = ""
    unseen = False
    batches: ClassVar[list[tuple[int, int]]] = []
    folders: ClassVar[list[Path]] = []

    def launch(self, job_overrides, initial_job_idx):
        import ray

        if self.broken:
            raise RuntimeError(f"{self.broken}\nand much more")
        self.batches.append((len(job_overrides), initial_job_idx))
        self.folders.append(Path(self.config.hydra.sweep.dir))

        def start(overrides, number):
            if "model.how=die" in overrides and not os.path.exists("repaired"):
                raise SystemError("The worker died")
            if self.unseen:
                overrides = [*overrides, "hydra.sweep.subdir=elsewhere"]
            return super(Ray, self).launch([overrides], number)[0]

        jobs = [
            lambda overrides=list(overrides), number=number: start(overrides, number)
            for number, overrides in enumerate(job_overrides, initial_job_idx)
        ]
        return [ray.get(job) for job in jobs]


Ray.__module__ = "hydra_plugins.hydra_ray_launcher.ray_launcher"


@pytest.fixture
def launcher(monkeypatch):
    """Return the launcher's class, which ``hydra/launcher=in_test`` selects in this test."""
    ray = types.ModuleType("ray")
    ray.get = lambda job: job()
    monkeypatch.setitem(sys.modules, "ray", ray)
    package, module = (
        types.ModuleType(name) for name in (Ray.__module__.rsplit(".", 1)[0], Ray.__module__)
    )
    package.ray_launcher, module.Ray = module, Ray
    for one in (package, module):
        monkeypatch.setitem(sys.modules, one.__name__, one)
    Plugins.instance().register(Ray)
    target = f"{Ray.__module__}.{Ray.__name__}"
    store = ConfigStore.instance()
    store.store(group="hydra/launcher", name="in_test", node={"_target_": target})
    for name, value in {"broken": "", "unseen": False, "batches": [], "folders": []}.items():
        monkeypatch.setattr(Ray, name, value)
    yield Ray
    del store.repo["hydra"]["launcher"]["in_test.yaml"]


@pytest.fixture
def sweep(tmp_path, data_root, monkeypatch, capfd):
    """Return a function that does what ``python train.py`` does, in this process."""
    from dlcourse import cli

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLCOURSE_DATA", str(data_root))
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "my_configs/model").mkdir(parents=True)
    (tmp_path / "my_configs/model/trouble.yaml").write_text(
        "# a net in trouble\n_target_: my_launched.Trouble\n_partial_: true\nhow: fine\n"
    )
    (tmp_path / "my_launched.py").write_text(MODEL)
    monkeypatch.delitem(sys.modules, "my_launched", raising=False)
    before = signal.getsignal(signal.SIGTERM)

    def go(*overrides):
        monkeypatch.setattr(sys, "argv", ["train.py", *overrides])
        status = 0
        try:
            cli.main()
        except SystemExit as ended:
            status = ended.code or 0
        output = capfd.readouterr()
        return SimpleNamespace(returncode=status, stdout=output.out, stderr=output.err)

    yield go
    signal.signal(signal.SIGTERM, before)


def arguments_for(launcher: str) -> list[str]:
    """Return the start of a sweep's command line with this launcher."""
    return ["--config-dir", "my_configs", "-m", f"hydra/launcher={launcher}", *SMALL]


def reason(folder: Path) -> str:
    return json.loads((folder / "failure.json").read_text())["reason"]


def test_a_launcher_gets_all_jobs_and_on_resuming_only_the_failed_ones(sweep, launcher, tmp_path):
    ended = sweep(*arguments_for("in_test"), "model=trouble", "model.how=raise,die,fine")
    assert ended.returncode == 1, ended.stderr
    (folder,) = [path.parent for path in tmp_path.glob("outputs/sweeps/*/sweep.json")]
    assert launcher.batches == [(3, 0)]
    assert launcher.folders == [folder]  # Hydra's own files are there, too
    assert [path.parent.name for path in folder.glob("*/result.json")] == ["how-fine"]
    assert reason(folder / "how-raise") == "Odd: this net is broken"
    assert reason(folder / "how-die") == "SystemError: The worker died"
    assert ended.stdout.count("FAILED") == 2
    assert "before the trouble" not in ended.stdout
    output = (folder / "how-raise/output.txt").read_text()
    assert "before the trouble" in output
    assert "Traceback" in output
    assert "how=raise" not in (folder / "results.csv").read_text(), "a failed job has no result"
    shown = folder.relative_to(tmp_path)
    assert f"resume={shown}" in ended.stderr

    (tmp_path / "repaired").touch()
    again = sweep(*shlex.split(ended.stderr.rpartition("train.py ")[2]))
    assert again.returncode == 0, again.stderr
    assert launcher.batches[1:] == [(2, 0)]
    assert len(list(folder.glob("*/result.json"))) == 3
    assert not list(folder.glob("*/failure.json"))


def test_a_launcher_that_starts_no_job_ends_with_one_message(
    sweep, launcher, tmp_path, monkeypatch
):
    monkeypatch.setattr(launcher, "broken", 'Could not detect "srun"')
    ended = sweep(*arguments_for("in_test"), "model=mlp", "seed=1,2")
    assert ended.returncode == 2
    assert ended.stderr.startswith("dlcourse: hydra/launcher=in_test has started no job: ")
    assert 'RuntimeError: Could not detect "srun"\n' in ended.stderr
    assert "leave hydra/launcher=in_test out" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "FAILED" not in ended.stdout


def test_a_search_launches_as_many_jobs_at_a_time_as_there_are_workers(
    sweep, launcher, monkeypatch
):
    pytest.importorskip("optuna")
    monkeypatch.setattr("dlcourse.sweep.run_sweep.report_results", lambda folder, search: None)
    overrides = ["sweep=optuna", "sweep.trials=3", "optim.lr=interval(0.01,0.1)", "workers=2"]
    ended = sweep(*arguments_for("in_test"), *overrides, "model=linear")
    assert ended.returncode == 0, ended.stderr
    assert launcher.batches == [(2, 0), (1, 2)]


def test_a_result_that_is_not_on_a_shared_disk_is_a_failure_with_this_reason(
    sweep, launcher, monkeypatch
):
    from dlcourse.sweep import hydra_launcher

    monkeypatch.setattr(hydra_launcher, "NFS_DELAY", 0.05)
    monkeypatch.setattr(launcher, "unseen", True)
    ended = sweep(*arguments_for("in_test"), "model=linear", "seed=1")
    assert ended.returncode == 1
    assert "must be on a disk that all machines share" in ended.stdout


def test_jobs_run_through_submitit_and_return_results(sweep, tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    ended = sweep(*arguments_for("submitit_local"), "model=trouble", "model.how=fine,die")
    assert ended.returncode == 1, ended.stderr
    (folder,) = [path.parent for path in tmp_path.glob("outputs/sweeps/*/sweep.json")]
    assert (folder / "how-fine/result.json").exists()
    assert (folder / ".submitit").is_dir()
    assert "has died" in reason(folder / "how-die")
    (tmp_path / "repaired").touch()
    again = sweep(*shlex.split(ended.stderr.rpartition("train.py ")[2]))
    assert again.returncode == 0, again.stderr
