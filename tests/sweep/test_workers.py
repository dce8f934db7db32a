"""Worker processes: the reason that is reported when one dies, and what each may use."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from planning import planned

from dlcourse.sweep.job import Job
from dlcourse.sweep.pool import Pool, end_processes, reason_of_end, threads_of_each

MODEL = """
import json, math, os, time
from torch import get_num_threads, nn

class Speaks(nn.Sequential):
    def __init__(self, input_shape, output_size):
        super().__init__(nn.Flatten(), nn.Linear(math.prod(input_shape), output_size))
        gpu = os.environ.get("CUDA_VISIBLE_DEVICES")
        with open("ending.json", "w") as file:
            json.dump({"gpu": gpu, "threads": get_num_threads(), "cwd": os.getcwd()}, file)
        print("this net speaks")

    def forward(self, inputs):
        if os.path.exists("hang"):
            time.sleep(60)
        return super().forward(inputs)
"""


def running_job(gpu=None, ending=(), folder=Path("none")):
    job = SimpleNamespace(folder=folder)
    return SimpleNamespace(gpu=gpu, ending=ending, process=object(), late="", job=job)


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (-9, "ended by SIGKILL, as the system does when memory runs out"),
        (-11, "ended by SIGSEGV"),
        (-15, "ended by SIGTERM"),
        (-40, "ended by signal 40"),
        (3, "ended with status 3, without a result and without a message"),
        (0, "ended with status 0, without a result and without a message"),
        (None, "ended with status None, without a result and without a message"),
    ],
)
def test_a_job_that_ended_without_a_message_is_reported_by_its_status(status, reason):
    assert reason_of_end(running_job(), status) == reason
    assert reason_of_end(running_job(ending=("done",)), status) == reason


def test_a_library_that_ended_the_job_for_lack_of_memory_is_quoted(tmp_path):
    said = "OpenBLAS error: Memory allocation still failed after 10 retries, giving up."
    (tmp_path / "output.txt").write_text(f"epoch 1\n{said}\n")
    assert reason_of_end(running_job(folder=tmp_path), 1) == f"ended with status 1: {said}"


def test_the_reason_that_a_job_gives_is_reported():
    assert reason_of_end(running_job(ending=("failed", "it diverged", True)), 1) == "it diverged"


def test_the_cores_are_divided_among_the_jobs(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    assert [threads_of_each(workers) for workers in (1, 2, 3, 5, 16, 40)] == [16, 8, 5, 3, 1, 1]


def test_processes_are_ended_also_the_one_of_a_group_and_one_that_ignores_the_signal():
    context = multiprocessing.get_context("fork")
    deaf = context.Process(target=ignore_and_sleep)
    usual = context.Process(target=time.sleep, args=(60,))
    for process in (deaf, usual):
        process.start()
    end_processes([usual, usual, deaf], 0.5)
    assert usual.exitcode == -signal.SIGTERM
    assert deaf.exitcode in (-signal.SIGKILL, -signal.SIGTERM)


def ignore_and_sleep():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(60)


def test_every_job_gets_the_gpu_with_the_fewest_jobs():
    pool = Pool(5, 1, ["3", "0", "GPU-7"])
    for expected in ("3", "0", "GPU-7", "3", "0"):
        assert pool.has_room
        assert pool.free_gpus() == expected
        pool.running.append(running_job(expected))
    assert not pool.has_room
    pool.running = [running_job(gpu) for gpu in ("3", "3", "GPU-7")]
    assert pool.free_gpus() == "0"
    assert Pool(2, 1).free_gpus() is None


@pytest.mark.parametrize(
    ("device", "takes"), [("auto", True), ("cuda", True), ("cpu", False), ("cuda:1", False)]
)
def test_only_a_job_with_device_auto_or_cuda_is_given_a_gpu(device, takes):
    assert Job((), None, None, {"runtime": {"device": device}}).takes_any_gpu is takes


@pytest.fixture
def job(tmp_path, monkeypatch, data_root):
    """Return a job of three epochs in the folder, with a model of the user's own."""
    (tmp_path / "my_configs/model").mkdir(parents=True)
    text = "# a net that speaks\n_target_: my_speaking.Speaks\n_partial_: true\n"
    (tmp_path / "my_configs/model/speaks.yaml").write_text(text)
    (tmp_path / "my_speaking.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    overrides = ["model=speaks", "data.examples=60", "max_epochs=3", "observe=[history]"]
    plan = planned(*overrides, f"data.root={data_root}", config_dir=str(tmp_path / "my_configs"))
    return plan.jobs[0][0].inside(tmp_path)


def test_a_job_that_hangs_is_stopped_after_its_time_with_the_reason(job, tmp_path, monkeypatch):
    monkeypatch.setattr("dlcourse.sweep.pool.STOP_TIMEOUT", 0.2)
    (tmp_path / "hang").touch()
    pool = Pool(1, 1)
    pool.start(job)
    ended = []
    try:
        while not ended:
            pool.stop_late("1s")
            ended = [one for one in pool.events(0.1) if one[1] == "ended"]
    finally:
        pool.stop()
    ((running, _, status),) = ended
    assert running.seconds < 30
    assert reason_of_end(running, status) == "took longer than job_timeout=1s and was stopped"
    assert job.result() is None


def test_a_job_sees_its_own_gpu_its_threads_and_its_folder(job, tmp_path):
    pool = Pool(1, 1, ["7"])
    pool.start(job, pruned=True)
    assert not pool.has_room
    epochs, status = [], None
    try:
        while pool.running:
            for running, kind, content in pool.events():
                if kind == "epoch":
                    epochs.append(content[0])
                    running.answer(content[0] < 2)
                else:
                    status, ending = content, running.ending
    finally:
        pool.stop()
    assert (epochs, status, ending) == ([1, 2], 0, ("pruned",))
    assert json.loads((tmp_path / "ending.json").read_text()) == {
        "gpu": "7", "threads": 1, "cwd": str(tmp_path),
    }  # fmt: skip
    assert "this net speaks" in (job.folder / "output.txt").read_text()
    assert job.result() is None
    assert os.environ.get("CUDA_VISIBLE_DEVICES") != "7"
