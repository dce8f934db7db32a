"""Jobs of a sweep that are trained together: which they are, and that each is as if alone."""

import json
from types import SimpleNamespace

import pytest
import torch
from planning import planned

from dlcourse.runs import run_folder
from dlcourse.sweep.groups import Groups, group_line, kind_of, why_not
from dlcourse.sweep.local_jobs import next_jobs
from dlcourse.sweep.manifest import Manifest
from dlcourse.sweep.methods.search import ListedPoints
from dlcourse.sweep.scheduler import Scheduler

TINY = (
    "data.examples=60", "max_epochs=3", "batch_size=16", "runtime=cpu", "model=mlp",
    "model.widths=[8]", "observe=[console,history]", "engine=together",
)  # fmt: skip


def groups_of(*overrides: str, parameters: int = 1000) -> Groups:
    plan = planned(*TINY, *overrides)
    names = [job.folder.name for jobs in plan.jobs for job in jobs]
    return Groups(plan, dict.fromkeys(names, parameters))


def kinds(*overrides: str) -> int:
    """Return the number of kinds of jobs of a sweep."""
    return len({kind_of(job.config) for jobs in planned(*TINY, *overrides).jobs for job in jobs})


@pytest.mark.parametrize(
    "overrides",
    [
        ("seeds=3",),
        ("optim.lr=0.1,0.01", "optim.weight_decay=0.1,0.2"),
        ("schedule=constant,cosine", "stop=never,patience"),
        ("optim=momentum", "optim.momentum=0.5,0.9"),
        ("init=he_normal,xavier_uniform", "split.seed=0,1", "data.seed=0,1"),
        ("regularizer=[l2]", "regularizer.l2.strength=0.1,0.01"),
        ("max_epochs=2,3",),
    ],
)
def test_jobs_that_differ_in_numbers_are_of_one_kind(overrides):
    assert kinds(*overrides) == 1


@pytest.mark.parametrize(
    "overrides",
    [
        ("model.widths=[8],[16]",),
        ("optim=sgd,adam",),
        ("batch_size=16,32",),
        ("loss=cross_entropy,mse",),
        ("optim.weight_decay=0,0.1",),
        ("data.examples=60,90",),
    ],
)
def test_jobs_that_differ_in_shape_or_method_are_of_two_kinds(overrides):
    assert kinds(*overrides) == 2


def test_the_jobs_of_a_kind_are_divided_among_the_workers():
    one, two = (groups_of("seeds=9", f"workers={workers}") for workers in (1, 2))
    job = planned(*TINY, "seeds=9").jobs[0][0]
    assert (one.size(job), two.size(job)) == (9, 5)
    assert groups_of("seeds=9", parameters=15_000_000).size(job) == 1
    assert groups_of("seeds=9", parameters=5_000_000).size(job) == 4
    folds = groups_of("seeds=100", "split=kfold", "split.folds=10")
    assert folds.size(planned(*TINY, "split=kfold", "split.folds=10").jobs[0][0]) == 6


def test_the_line_says_how_jobs_are_grouped():
    overrides = ("seeds=9", "workers=2", "model.activation=relu,tanh")
    assert group_line(groups_of(*overrides), planned(*TINY, *overrides)) == (
        "engine=together: 2 groups of 5 jobs, 2 groups of 4 jobs"
    )
    line = group_line(groups_of("seeds=2", parameters=15_000_000), planned(*TINY, "seeds=2"))
    reason = "models of 15,000,000 parameters keep a processor busy alone"
    assert line == f"engine=together: 2 jobs alone ({reason})"


@pytest.mark.parametrize(
    ("is_search", "launcher", "said"),
    [
        (False, "", ""),
        (True, "", "sweep=optuna proposes its points one after another"),
        (False, "joblib", "hydra/launcher=joblib starts every job by itself"),
    ],
)
def test_searches_and_launchers_train_only_folds_together(is_search, launcher, said):
    line = why_not(SimpleNamespace(is_search=is_search), launcher)
    assert said in line
    assert bool(line) == bool(said)


def test_a_group_holds_the_next_jobs_of_one_kind(tmp_path):
    overrides = (*TINY, "optim.lr=0.1,0.01", "model.activation=relu,tanh", "seeds=2")
    plan = planned(*overrides)
    manifest = Manifest([], None, "", "grid", plan.keys, "val/accuracy", "max", 1)
    scheduler = Scheduler(plan, tmp_path, manifest, ListedPoints(plan.points))
    groups = Groups(plan, {})
    found = [next_jobs(scheduler, groups) for _ in range(3)]
    assert [len(jobs) for jobs in found] == [4, 4, 0]
    for jobs, activation in zip(found, ("relu", "tanh"), strict=False):
        assert all(f"activation={activation}" in job.label for job in jobs)


@pytest.fixture
def sweep(here):
    return here


def stored(folder) -> tuple[dict, list[torch.Tensor]]:
    """Return a job's result, and the tensors of its last checkpoint."""
    result = json.loads((folder / "result.json").read_text())
    model = torch.load(folder / "checkpoints/last.pt", weights_only=True)["model"]
    return result, list(model.values())


def test_jobs_trained_together_leave_what_jobs_trained_alone_leave(sweep, tmp_path):
    overrides = (*TINY, "runtime.precision=fp64", "optim.lr=0.1,0.01", "optim=sgd")
    (tmp_path / "together/lr-0.1").mkdir(parents=True)
    run_folder.write_engine(tmp_path / "together/lr-0.1", "stacked")
    ended = sweep("-m", *overrides, "hydra.sweep.dir=together")
    assert ended.returncode == 0, ended.stderr
    assert "engine=together: 1 group of 2 jobs" in ended.stdout
    assert "[2/2]" in ended.stdout
    alone = sweep("-m", *overrides, "engine=separate", "hydra.sweep.dir=alone")
    assert alone.returncode == 0, alone.stderr
    names = {path.name for path in (tmp_path / "alone").glob("lr-*")}
    assert len(names) == 2
    for name in names:
        ours, theirs = tmp_path / "together" / name, tmp_path / "alone" / name
        (result, weights), (expected, numbers) = stored(ours), stored(theirs)
        assert result["val"] == pytest.approx(expected["val"], rel=1e-10)
        assert result["test"] == pytest.approx(expected["test"], rel=1e-10)
        for one, other in zip(weights, numbers, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)
        files = [{str(p.relative_to(at)) for p in at.rglob("*")} for at in (ours, theirs)]
        assert files[0] - {"together.json"} == files[1]
        printed = (ours / "output.txt").read_text()
        assert printed.count("epoch ") == (theirs / "output.txt").read_text().count("epoch ")
        assert "seed 0\n" in printed
        assert printed.count("Results are in") == 1
        logged = (ours / "train.log").read_text()
        assert logged.count("best epoch") == 1
    tables = [(tmp_path / at / "results.md").read_text() for at in ("together", "alone")]
    first, second = (
        [line.split("|")[:6] for line in table.splitlines() if line.startswith("|")]
        for table in tables
    )
    assert first == second
    again = sweep("-m", *overrides, "hydra.sweep.dir=together")
    assert "[1/2]" not in again.stdout


def test_a_job_of_a_group_that_diverges_fails_alone(sweep, tmp_path):
    overrides = (
        *TINY,
        "optim=sgd",
        "optim.lr=0.0001,1000,0.0002",
        "optim.weight_decay=1000",
    )
    overrides = (*overrides, "hydra.sweep.dir=s")
    ended = sweep("-m", *overrides, "check=true")
    assert "engine=together: 1 group of 3 jobs" in ended.stdout
    ended = sweep("-m", *overrides)
    assert ended.returncode == 1
    assert "FAILED: Training diverged in epoch" in ended.stdout
    assert len(list((tmp_path / "s").glob("*/result.json"))) == 2
    (failure,) = (tmp_path / "s").glob("*/failure.json")
    note = json.loads(failure.read_text())
    assert note["diverged"]
    assert note["status"] == 1
    assert "Training diverged" in (failure.parent / "output.txt").read_text()


MODEL = """
import math, os, signal
from multiprocessing import current_process
from torch import nn

class Fragile(nn.Sequential):
    made = 0

    def __init__(self, input_shape, output_size):
        super().__init__(nn.Flatten(), nn.Linear(math.prod(input_shape), output_size))
        Fragile.made += 1
        if Fragile.made == 2:
            os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_jobs_of_a_group_that_is_killed_run_one_by_one(sweep, tmp_path, monkeypatch):
    (tmp_path / "my_configs/model").mkdir(parents=True)
    text = "# a net\n_target_: my_fragile.Fragile\n_partial_: true\n"
    (tmp_path / "my_configs/model/fragile.yaml").write_text(text)
    (tmp_path / "my_fragile.py").write_text(MODEL)
    monkeypatch.syspath_prepend(str(tmp_path))
    overrides = [one for one in TINY if not one.startswith("model")]
    ended = sweep(
        "-m", *overrides, "model=fragile", "seeds=2", "hydra.sweep.dir=s",
        "--config-dir", "my_configs",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert ended.stdout.count("each of them is run by itself") == 1
    assert "SIGKILL" in ended.stdout
    assert len(list((tmp_path / "s").glob("*/result.json"))) == 2
