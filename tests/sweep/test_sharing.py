"""Commands that share one sweep's folder: every job once, also if commands are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from dlcourse.errors import UserError
from dlcourse.sweep import sharing as sharing_module
from dlcourse.sweep.sharing import SILENT, Sharing, joined_sweep


def join(folder: Path):
    """Take part in a sweep that others may join."""
    return joined_sweep(folder, alone=False)


def as_from_another_machine(sharing: Sharing, *, silent: float) -> None:
    """Make a command look like one on another machine that was last heard of some time ago."""
    sharing.stopped.set()
    content = json.loads(sharing.path.read_text())
    content[3] = "another machine"
    sharing.path.write_text(json.dumps(content))
    then = time.time() - silent
    os.utime(sharing.path, (then, then))


def test_a_job_is_claimed_by_one_command_only(tmp_path):
    with (
        join(tmp_path) as first,
        join(tmp_path) as second,
    ):
        assert [one.token for one in second.others] == [first.token]
        assert first.claim("a")
        assert first.claim("a"), "the command that has a job may start it again"
        assert not second.claim("a")
        assert second.claim("b")
        assert not first.claim("b")


def test_jobs_of_a_command_that_has_left_can_be_claimed_by_one_other(tmp_path):
    with (
        join(tmp_path) as second,
        join(tmp_path) as third,
    ):
        with join(tmp_path) as first:
            assert first.claim("a")
            assert second.has_owner("a")
        assert not second.has_owner("a")
        assert sorted([second.claim("a"), third.claim("a")]) == [False, True]


def test_a_failed_job_is_not_tried_by_the_others_but_by_the_next_command_alone(tmp_path):
    with join(tmp_path) as second:
        with join(tmp_path) as first:
            first.claim("a")
            assert not second.has_failed("a")
            first.note_failure("a")
        assert second.has_failed("a")
    assert not (tmp_path / ".shared").exists()
    with join(tmp_path) as later:
        assert not later.has_failed("a")
        assert later.claim("a")


def test_nobody_joins_a_command_that_runs_alone_and_it_joins_nobody(tmp_path):
    for alone, other in ((True, False), (False, True)):
        refused = pytest.raises(UserError, match=f"Another process is using .*pid {os.getpid()}")
        with joined_sweep(tmp_path, alone=alone), refused:
            Sharing(tmp_path, alone=other)
        assert not (tmp_path / ".shared").exists()


def test_a_command_on_another_machine_is_gone_after_a_time_without_a_sign(tmp_path):
    first, second = Sharing(tmp_path, alone=False), Sharing(tmp_path, alone=False)
    first.claim("a")
    as_from_another_machine(first, silent=SILENT / 2)
    assert not second.claim("a")
    as_from_another_machine(first, silent=SILENT + 1)
    assert second.claim("a")
    second.leave()
    assert not (tmp_path / ".shared").exists()
    first.touch()
    with pytest.raises(UserError, match="they are stopped"):
        first.refuse_if_lost()
    first.leave()


def test_a_command_that_cannot_reach_the_disk_stops_before_it_counts_as_gone(tmp_path, monkeypatch):
    assert sharing_module.LOST + 2 * sharing_module.BEAT < SILENT
    with join(tmp_path) as sharing:
        sharing.refuse_if_lost()
        later = sharing.touched + sharing_module.LOST + 1
        monkeypatch.setattr(sharing_module, "clock", lambda: later)
        with pytest.raises(UserError, match="Type the command again to join"):
            sharing.claim("a")
        sharing.touch()
        assert sharing.claim("a")


WORKER = """
import os, random, signal, sys, time
from pathlib import Path
from dlcourse.sweep.sharing import Sharing

folder, seed, deadly = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "True"
draw = random.Random(seed)

def note(kind, job):
    with open(folder / "log", "ab", buffering=0) as log:
        log.write(f"{kind} {job} {os.getpid()} {time.monotonic_ns()}\\n".encode())

sharing = Sharing(folder, alone=False)
while not (folder / "go").exists():
    if len(list(sharing.commands.iterdir())) == int(sys.argv[4]):
        (folder / "go").touch()
    time.sleep(0.002)
jobs = [f"lr-0.{number}" for number in range(30)]
while left := [job for job in jobs if not (folder / job).exists()]:
    for job in left:
        if sharing.claim(job) and not (folder / job).exists():
            note("start", job)
            time.sleep(0.01)
            if deadly and draw.random() < 0.05:
                os.kill(os.getpid(), signal.SIGKILL)
            (folder / job).touch()
            note("end", job)
    time.sleep(0.002)
sharing.leave()
"""


def run_workers(folder: Path, count: int, *, deadly: bool) -> int:
    """Run processes until none is left, and start another for each that was killed."""
    script, kills = folder / "worker.py", 0
    script.write_text(WORKER)

    def start(seed: int) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, str(script), str(folder), str(seed), str(deadly), str(count)]
        )

    running = [start(seed) for seed in range(count)]
    while running:
        ended = running.pop(0)
        status = ended.wait()
        if status == -signal.SIGKILL:
            kills += 1
            running.append(start(count + kills))
        else:
            assert status == 0
    return kills


def spans(folder: Path) -> dict[str, list[tuple[int, int | None]]]:
    """Return for each job the start and end of every attempt; None as the end of a killed one."""
    found: dict[str, dict[str, list]] = {}
    for line in (folder / "log").read_text().splitlines():
        kind, job, pid, moment = line.split()
        if kind == "start":
            found.setdefault(job, {})[pid] = [int(moment), None]
        else:
            found[job][pid][1] = int(moment)
    return {job: sorted(map(tuple, tries.values())) for job, tries in found.items()}


@pytest.mark.parametrize(("count", "deadly"), [(2, True), (3, False)])
def test_every_job_ends_once_and_never_runs_twice_at_a_time(tmp_path, count, deadly):
    kills = run_workers(tmp_path, count, deadly=deadly)
    assert (kills > 0) == deadly
    jobs = spans(tmp_path)
    assert len(jobs) == 30
    for tries in jobs.values():
        assert [end is not None for _, end in tries].count(True) == 1
        assert tries[-1][1] is not None, "nothing is started after the job has ended"
        for (_, end), (start, _) in pairwise(tries):
            assert end is None or end < start
    assert sum(len(tries) - 1 for tries in jobs.values()) == kills
    assert not (tmp_path / ".shared").exists()


def test_without_claims_jobs_would_run_twice(tmp_path, monkeypatch):
    source = WORKER.replace("sharing.claim(job) and", "")
    monkeypatch.setitem(globals(), "WORKER", source)
    run_workers(tmp_path, 3, deadly=False)
    lines = (tmp_path / "log").read_text().splitlines()
    assert sum(line.startswith("end") for line in lines) > 30


SMALL = ["model=patient", "data.examples=60", "max_epochs=2", "observe=[history]", "runtime=cpu"]
TRAIN = Path(__file__).parents[2] / "train.py"


@pytest.fixture
def started(tmp_path):
    """Return a function that starts a sweep of four jobs, which wait while a file is there."""
    (tmp_path / "own/model").mkdir(parents=True)
    (tmp_path / "own/model/patient.yaml").write_text("_target_: my_patient.Net\n_partial_: true\n")
    (tmp_path / "my_patient.py").write_text(
        "import math, os, time\nfrom torch import nn\n\n\nclass Net(nn.Sequential):\n"
        "    def __init__(self, input_shape, output_size):\n"
        "        super().__init__(nn.Flatten(), nn.Linear(math.prod(input_shape), output_size))\n\n"
        "    def forward(self, inputs):\n"
        "        while self.training and not inputs.is_meta and os.path.exists('wait'):\n"
        "            time.sleep(0.02)\n"
        "        return super().forward(inputs)\n"
    )
    (tmp_path / "wait").touch()
    words = ["--config-dir", "own", "-m", *SMALL, "seed=0,1,2,3", "hydra.sweep.dir=shared"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    running = []

    def start() -> subprocess.Popen:
        arguments = [sys.executable, str(TRAIN), *words]
        running.append(subprocess.Popen(arguments, cwd=tmp_path, **pipes))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()


def test_three_commands_finish_a_sweep_of_which_one_is_killed(tmp_path, started):
    commands = [started() for _ in range(3)]
    claims = tmp_path / "shared/.shared/claims"
    while not claims.is_dir() or len(list(claims.iterdir())) < 3:
        time.sleep(0.05)
        assert all(command.poll() is None for command in commands)
    commands[0].send_signal(signal.SIGKILL)
    commands[0].wait()
    (tmp_path / "wait").unlink()
    texts = [command.communicate()[0] for command in commands[1:]]
    for text, command in zip(texts, commands[1:], strict=True):
        assert command.returncode == 0, text
        assert "Written to shared" in text  # its table, of all four jobs
        assert "FAILED" not in text
    assert any("joined a sweep that another command runs" in text for text in texts)
    assert len(list(tmp_path.glob("shared/seed-*/result.json"))) == 4
    assert "seed-0; seed-1; seed-2; seed-3" in (tmp_path / "shared/results.csv").read_text()
    assert not (tmp_path / "shared/.shared").exists()
