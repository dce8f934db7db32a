"""Commands that train one run in several processes: results, deaths, resuming, sweeps."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import ROOT, SMALL

from dlcourse.distributed.ranks import Ranks, in_environment
from dlcourse.distributed.start import (
    RankProcess,
    has_lost_another,
    reasons_of,
    silent_end,
    why_failed,
)
from dlcourse.errors import DivergedError, LostRankError, RankError
from dlcourse.terminal.command import started_by_torchrun

RUN = [*SMALL, "model=mlp", "stop=never", "runtime.precision=fp64"]


def weights(folder):
    """Return the weights of the last checkpoint in one vector."""
    stored = torch.load(folder / "checkpoints/last.pt", weights_only=True)
    return torch.cat([one.double().flatten() for one in stored["model"].values()])


def test_two_processes_train_test_and_report_as_one(from_python, capfd):
    one = from_python(*RUN, "split=kfold", "split.folds=2", folder="one")
    two = from_python(*RUN, "split=kfold", "split.folds=2", "runtime.devices=2", folder="two")
    for fold in ("fold0", "fold1"):
        difference = weights(one.folder / fold) - weights(two.folder / fold)
        assert difference.abs().max() <= 1e-10
    first, second = one.result, two.result
    assert second["mean"] == pytest.approx(first["mean"])
    assert second["out_of_fold"] == pytest.approx(first["out_of_fold"])  # outputs in their order
    assert second["ensemble"] == pytest.approx(first["ensemble"])
    assert capfd.readouterr().out == ""  # quiet=True holds for all processes
    stored = (two.folder / ".hydra/config.yaml").read_text()
    assert "devices: 2" in stored


def start(*arguments, data_root, folder):
    """Start a command in a folder; return its process."""
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *arguments],
        cwd=folder,
        env={**os.environ, "DLCOURSE_DATA": str(data_root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def children(process):
    """Return the processes that a process has started, oldest first."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text()
    return sorted(map(int, found.split()))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes as on Linux")
def test_a_killed_rank_ends_the_run_with_one_message_and_the_run_can_be_resumed(
    tmp_path, data_root, command
):
    run = start(
        *RUN, "runtime.devices=2", "max_epochs=100000", "checkpoint_every=2",
        "hydra.run.dir=run", data_root=data_root, folder=tmp_path,
    )  # fmt: skip
    history = tmp_path / "run/history.jsonl"
    while not (tmp_path / "run/checkpoints/last.pt").exists() and run.poll() is None:
        time.sleep(0.02)
    ranks = [one for server in children(run.pid) for one in children(server)]
    os.kill(ranks[1], signal.SIGKILL)
    _, message = run.communicate(timeout=60)
    assert run.returncode == 1
    assert message.count("dlcourse:") == 1
    assert f"Rank 1 (process {ranks[1]}) was ended by SIGKILL" in message
    assert message.rstrip().endswith("train.py resume=run")
    assert "Traceback" not in message
    done = len(history.read_text().splitlines())
    ended = command("resume=run", f"max_epochs={done + 2}", "runtime.devices=1")
    assert ended.returncode == 0, ended.stderr
    assert "The run was started on 2 devices and is resumed on 1: the same batches" in ended.stdout
    result = json.loads((tmp_path / "run/result.json").read_text())
    assert result["epochs"] == done + 2


def ended(rank, error=None, status=None):
    """Return a rank that has sent an error, or has ended with a status."""

    class Process:
        pid, exitcode = 7, status

    reply = None if error is None else ("failed", error)
    return RankProcess(rank, Process(), None, None, reply, ended=True)


def test_the_reason_of_a_failure_is_the_first_cause_and_not_what_follows_from_it():
    lost = ended(0, LostRankError("reset by peer"))
    assert has_lost_another(lost)
    assert str(why_failed([lost, ended(2, status=-9)])).startswith("Rank 2 (process 7) was ended")
    wrong = DivergedError("it diverged")
    assert why_failed([ended(2, status=1), ended(1, wrong), lost]) is wrong
    assert isinstance(why_failed([lost]), RankError)
    both = [lost, ended(2, status=-9)]  # found at the same moment
    assert reasons_of(both, both, print) == both
    assert "has ended with status 3" in str(silent_end(ended(1, status=3)))


def test_the_place_of_a_process_is_read_from_the_variables_of_torchrun():
    variables = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    assert in_environment(variables) == Ranks(3, 4, 1, 2, joined=True)
    assert in_environment({"RANK": "0", "WORLD_SIZE": "1"}) is None


def test_the_command_that_resumes_has_torchrun_in_front(monkeypatch):
    assert started_by_torchrun("python train.py") == "python train.py"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert started_by_torchrun("python train.py") == "torchrun --nproc-per-node=4 train.py"
    expected = "torchrun --nproc-per-node=4 -m dlcourse train"
    assert started_by_torchrun("/usr/bin/python3 -m dlcourse train") == expected
    expected = "torchrun --nproc-per-node=4 --no-python dlcourse train"
    assert started_by_torchrun("dlcourse train") == expected


def test_torchrun_trains_one_run(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2",
         str(ROOT / "train.py"), *RUN, "max_epochs=1", "hydra.run.dir=run"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("Results are in run") == 1
    assert ended.stdout.count("epoch 1/1") == 1
    assert "devices: 2" in (tmp_path / "run/.hydra/config.yaml").read_text()
