"""What a sweep prints while it runs."""

import pytest
from planning import ScriptedSearch, end, scheduler_of

from dlcourse.sweep import progress as progress_module
from dlcourse.sweep.methods.search import Trial
from dlcourse.sweep.progress import Progress, job_line
from dlcourse.terminal.live_line import cells

POINTS = [(f"lr={number}",) for number in range(12)]


@pytest.fixture
def running_sweep(tmp_path, monkeypatch):
    """Return a scheduler of twelve jobs, its progress, and a clock that the test sets."""
    clock = {"now": 100.0}
    monkeypatch.setattr(progress_module, "monotonic", lambda: clock["now"])
    search = ScriptedSearch([Trial(number, point) for number, point in enumerate(POINTS)])
    scheduler = scheduler_of(tmp_path, search, POINTS)
    return scheduler, Progress(scheduler), clock


def test_every_ended_job_is_printed_with_its_value_and_the_time_left(running_sweep, capsys):
    scheduler, progress, clock = running_sweep
    with progress:
        facts = capsys.readouterr().out.splitlines()
        assert [line.split()[0] for line in facts] == ["sweep", "jobs", "monitor", "folder"]
        job = scheduler.next_job()
        progress.starts(job)
        progress.epoch(job, 1, 0.4)
        assert capsys.readouterr().out == ""  # no terminal: an epoch prints nothing
        clock["now"] += 4
        end(scheduler, job, 0.5)
        progress.done(job, 0.5, 3.96)
    assert capsys.readouterr().out == "[ 1/12] lr=0  val/accuracy 0.5000 *  4.0 s  44 s left\n"


def test_a_failed_job_is_printed_with_its_reason_and_its_log(running_sweep, capsys):
    scheduler, progress, _ = running_sweep
    job = scheduler.next_job()
    progress.starts(job)
    scheduler.fail(job, "ended by SIGKILL", -9, final=False)
    progress.failed(job, "ended by SIGKILL", "here/output.txt", again=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("[ 1/12] lr=0  FAILED: ended by SIGKILL  0 s left")
    assert lines[1] == "  log: here/output.txt"
    job = scheduler.next_job()
    progress.failed(job, "it died", "here/output.txt", again=True)
    assert capsys.readouterr().out.startswith("[ 1/12] lr=1  FAILED: it died  runs once more\n")


def test_a_pruned_job_is_printed_with_its_epoch(running_sweep, capsys):
    scheduler, progress, _ = running_sweep
    job = scheduler.next_job()
    scheduler.prune(job, 3, 0.1)
    progress.pruned(job, 3, 0.1)
    line = capsys.readouterr().out
    assert line.startswith("[ 1/12] lr=0  pruned after epoch 3, val/accuracy 0.1000")


def test_the_bottom_of_a_terminal_shows_the_running_job_the_counts_and_the_best(running_sweep):
    scheduler, progress, clock = running_sweep
    jobs = [scheduler.next_job() for _ in range(5)]
    for job in jobs:
        progress.starts(job)
    assert progress.bottom().plain.endswith("  0 of 12 jobs ended, 5 running")
    progress.epoch(jobs[4], 7, 0.25)
    clock["now"] += 60
    for job, best in zip(jobs[:2], (0.6, 0.5), strict=True):
        end(scheduler, job, best)
        progress.done(job, best, 1.0)
    scheduler.fail(jobs[2], "it died", 3, final=False)
    progress.failed(jobs[2], "it died", "output.txt", again=False)
    scheduler.prune(jobs[3], 1, 0.1)
    progress.pruned(jobs[3], 1, 0.1)
    assert progress.bottom().plain == (
        "  lr=4  epoch 7  val/accuracy 0.2500\n"
        "  4 of 12 jobs ended, 1 running, 1 failed, 1 pruned"
        "  2 min left  best val/accuracy 0.6000: lr=0"
    )


def test_the_time_left_is_estimated_from_the_jobs_of_this_command(running_sweep):
    scheduler, progress, clock = running_sweep
    for _ in range(6):
        end(scheduler, scheduler.next_job())  # of an earlier command
    clock["now"] += 10
    assert progress.left() == ""
    job = scheduler.next_job()
    end(scheduler, job)
    progress.done(job, 0.5, 10.0)
    assert progress.left() == "50 s left"
    for job in iter(scheduler.next_job, None):
        end(scheduler, job)
        progress.done(job, 0.5, 1.0)
    assert progress.left() == ""


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, "[1/4] optim=sgd seed=0  val/accuracy 0.9756 *  1.1 s  3 s left"),
        (60, "[1/4] optim=sgd seed=0  val/accuracy 0.9756 *  1.1 s"),
        (50, "[1/4] optim=sgd seed=0  val/accuracy 0.9756 *"),
        (44, "[1/4] optim=sgd see…  val/accuracy 0.9756 *"),
    ],
)
def test_the_line_of_a_job_fits_into_the_terminal(width, shown):
    how = "val/accuracy 0.9756 *"
    assert job_line("[1/4]", "optim=sgd seed=0", how, ["1.1 s", "3 s left"], width) == shown
    for narrow in range(10, 100):
        assert cells(job_line("[1/4]", "optim=猫 seed=0", how, ["1.1 s"], narrow)) < narrow
