"""The scheduler of a sweep, tested with made-up jobs that never run."""

import json

import pytest
from planning import ScriptedSearch, end, finish, scheduler_of

from dlcourse.errors import UserError
from dlcourse.schema.run_files import PRUNED
from dlcourse.sweep.manifest import holds_sweep, read_manifest, write_failure, write_note
from dlcourse.sweep.methods.search import ListedPoints, Trial

POINTS = [("lr=1",), ("lr=2",), ("lr=3",)]
SEEDS = (("seed=0",), ("seed=1",), ("seed=2",))
TRIALS = [Trial(number, point) for number, point in enumerate(POINTS)]


def listed(folder, points=POINTS, **more):
    return scheduler_of(folder, ListedPoints(points), points, searched=False, **more)


def all_jobs(scheduler):
    """Return all jobs that a scheduler returns while none of them ends."""
    return list(iter(scheduler.next_job, None))


def names(jobs):
    return [job.folder.name for job in jobs]


def test_a_list_proposes_each_point_once(tmp_path):
    search = ListedPoints(POINTS)
    assert list(iter(search.ask, None)) == TRIALS
    assert search.ask() is None
    assert search.report(0, 1, 0.5)
    assert search.tell(0, 0.5, "done") is None


def test_jobs_are_ordered_by_point_and_then_by_repeat(tmp_path):
    scheduler = listed(tmp_path, repeats=SEEDS[:2])
    assert names(all_jobs(scheduler)) == [
        f"lr-{lr}_seed-{seed}" for lr in (1, 2, 3) for seed in (0, 1)
    ]
    assert scheduler.total == 6


def test_a_finished_job_is_not_run_again(tmp_path):
    finish(next(iter(all_jobs(listed(tmp_path)))), 0.9)
    scheduler = listed(tmp_path)
    assert names(all_jobs(scheduler)) == ["lr-2", "lr-3"]
    assert scheduler.ended == 1
    assert scheduler.best == (0.9, "lr=1")


def test_equal_points_share_one_job_and_both_get_its_result(tmp_path):
    search = ScriptedSearch([Trial(0, ("lr=1",)), Trial(1, ("lr=2",)), Trial(2, ("lr=1",))])
    scheduler = scheduler_of(tmp_path, search, POINTS)
    jobs = all_jobs(scheduler)
    assert names(jobs) == ["lr-1", "lr-2"]
    end(scheduler, jobs[0], 0.7)
    assert search.results == [(0, 0.7, "done"), (2, 0.7, "done")]
    search.rest.append(Trial(3, ("lr=1",)))  # the same point again after its job has ended
    assert scheduler.next_job() is None
    assert search.results[2] == (3, 0.7, "done")
    shared = listed(tmp_path / "listed", [("lr=1",), ("lr=2",), ("lr=1",)])
    assert names(all_jobs(shared)) == ["lr-1", "lr-2"]
    assert shared.total == 2


def test_a_search_gets_the_mean_over_the_repeats_of_a_trial(tmp_path):
    search = ScriptedSearch(TRIALS[:1])
    scheduler = scheduler_of(tmp_path, search, POINTS, repeats=SEEDS)
    for job, best in zip(all_jobs(scheduler), (0.5, 0.6, 1.0), strict=True):
        assert search.results == []
        end(scheduler, job, best)
    ((number, mean, state),) = search.results
    assert (number, state) == (0, "done")
    assert mean == pytest.approx(0.7)
    assert scheduler.best == (1.0, "lr=1 seed=2")


def test_the_best_value_is_the_lowest_in_mode_min(tmp_path):
    scheduler = scheduler_of(tmp_path, ScriptedSearch(TRIALS), POINTS, mode="min")
    for job, best in zip(all_jobs(scheduler), (0.5, 0.2, 0.3), strict=True):
        end(scheduler, job, best)
    assert scheduler.best == (0.2, "lr=2")


def test_epochs_are_counted_over_all_repeats_and_folds_of_a_trial(tmp_path):
    search = ScriptedSearch(TRIALS[:1])
    scheduler = scheduler_of(tmp_path, search, POINTS, repeats=SEEDS[:2])
    first, second = all_jobs(scheduler)
    scheduler.report(first, 2, 0.1)
    scheduler.report(second, 1, 0.2)
    assert search.reports == [(0, 2, 0.1), (0, 4, 0.2)]
    first.config["split"] |= {"folds": 5, "repeats": 2}
    second.config["split"] |= {"folds": 5, "repeats": 2}
    scheduler.report(second, 1, 0.3)
    assert search.reports[-1] == (0, 31, 0.3)  # after ten folds of three epochs


def test_the_value_of_a_job_is_reported_to_every_trial_that_waits_for_it(tmp_path):
    search = ScriptedSearch([Trial(0, ("lr=1",)), Trial(1, ("lr=1",))], hopeless={1})
    scheduler = scheduler_of(tmp_path, search, POINTS)
    (job,) = all_jobs(scheduler)
    assert not scheduler.report(job, 1, 0.1)
    assert [number for number, *_ in search.reports] == [0, 1]


def test_the_other_repeats_of_a_pruned_trial_are_dropped(tmp_path):
    search = ScriptedSearch(TRIALS[:2], hopeless={0})
    scheduler = scheduler_of(tmp_path, search, POINTS, repeats=SEEDS)
    first = scheduler.next_job()
    assert not scheduler.report(first, 2, 0.1)
    scheduler.prune(first, 2, 0.1)
    assert search.results == [(0, None, "pruned")]
    assert json.loads((first.folder / "pruned.json").read_text()) == {"epoch": 2, "value": 0.1}
    assert names(all_jobs(scheduler)) == [f"lr-2_seed-{seed}" for seed in (0, 1, 2)]
    assert scheduler.ended == 3  # two of them were never started
    assert not scheduler.failed


def test_a_pruned_trial_is_reported_after_its_running_repeats_have_ended(tmp_path):
    search = ScriptedSearch(TRIALS[:1])
    scheduler = scheduler_of(tmp_path, search, POINTS, repeats=SEEDS)
    first, second = scheduler.next_job(), scheduler.next_job()
    scheduler.prune(first, 1, 0.1)
    assert search.results == []
    end(scheduler, second, 0.9)
    assert search.results == [(0, 0.9, "pruned")]
    assert scheduler.next_job() is None
    assert scheduler.ended == scheduler.total - 6


def test_a_repeat_that_another_trial_waits_for_is_not_dropped(tmp_path):
    search = ScriptedSearch([Trial(0, ("lr=1",)), Trial(1, ("lr=1",))])
    scheduler = scheduler_of(tmp_path, search, POINTS, repeats=SEEDS)
    first = scheduler.next_job()
    scheduler.begin(search.ask())
    scheduler.prune(first, 1, 0.1)
    rest = all_jobs(scheduler)
    assert names(rest) == ["lr-1_seed-1", "lr-1_seed-2"]
    for job in rest:
        end(scheduler, job)
    assert [(number, state) for number, _, state in search.results] == [
        (0, "pruned"),
        (1, "pruned"),
    ]


def test_a_failed_job_is_reported_and_recorded_and_the_others_continue(tmp_path):
    search = ScriptedSearch(TRIALS, prunes=False)
    scheduler = scheduler_of(tmp_path, search, POINTS)
    job = scheduler.next_job()
    assert not scheduler.fail(job, "ended by SIGKILL", -9, final=False)
    assert json.loads((job.folder / "failure.json").read_text()) == {
        "reason": "ended by SIGKILL", "status": -9, "attempts": 1, "log": "output.txt",
    }  # fmt: skip
    assert search.results == [(0, None, "failed")]
    assert scheduler.failed == {job.folder: "ended by SIGKILL"}
    assert names(all_jobs(scheduler)) == ["lr-2", "lr-3"]


def test_a_failed_job_is_retried_the_given_number_of_times_before_all_others(tmp_path):
    scheduler = listed(tmp_path, on_error="retry:2")
    for _ in range(2):
        job = scheduler.next_job()
        assert job.folder.name == "lr-1"
        assert scheduler.fail(job, "it died", 3, final=False)
        assert not (job.folder / "failure.json").exists()
    assert not scheduler.fail(scheduler.next_job(), "it died", 3, final=False)
    assert json.loads((job.folder / "failure.json").read_text())["attempts"] == 3
    assert scheduler.next_job().folder.name == "lr-2"
    assert scheduler.ended == 1


def test_a_job_with_a_final_failure_is_not_retried(tmp_path):
    scheduler = listed(tmp_path, on_error="retry:2")
    assert not scheduler.fail(scheduler.next_job(), "it diverged", 1, final=True)
    assert scheduler.next_job().folder.name == "lr-2"


def test_a_trial_with_a_failed_repeat_has_failed(tmp_path):
    search = ScriptedSearch(TRIALS[:1], prunes=False)
    scheduler = scheduler_of(tmp_path, search, POINTS, repeats=SEEDS)
    first, second, third = all_jobs(scheduler)
    end(scheduler, first, 0.5)
    scheduler.fail(second, "it died", 3, final=False)
    end(scheduler, third, 0.7)
    ((_, _, state),) = search.results
    assert state == "failed"


def test_restarting_a_job_removes_its_notes_of_failure_and_pruning(tmp_path):
    job = listed(tmp_path).next_job()
    write_failure(job.folder, "it died", 3, 1)
    write_note(job.folder, PRUNED, {"epoch": 1, "value": 0.5})
    again = listed(tmp_path).next_job()
    assert again == job
    assert list(job.folder.iterdir()) == []


def test_an_invalid_point_that_a_search_proposes_is_a_failed_trial(tmp_path):
    search = ScriptedSearch(TRIALS[:2])
    scheduler = scheduler_of(tmp_path, search, [])

    def jobs_of(point):
        raise UserError("optim.lr=1 is not allowed")

    scheduler.plan.jobs_of = jobs_of
    assert scheduler.next_job() is None
    assert search.results == [(0, None, "failed"), (1, None, "failed")]
    assert list(scheduler.failed.values()) == ["optim.lr=1 is not allowed"] * 2
    assert scheduler.ended == 2
    for number in (1, 2):
        failure = json.loads((tmp_path / f"lr-{number}/failure.json").read_text())
        assert failure["reason"] == "optim.lr=1 is not allowed"
    assert [point["jobs"] for point in read_manifest(tmp_path).points] == [
        ["lr-1"],
        ["lr-2"],
    ]


def test_a_failed_point_is_not_run_again_in_the_same_search(tmp_path):
    search = ScriptedSearch([Trial(0, ("lr=1",)), Trial(1, ("lr=1",))], prunes=False)
    scheduler = scheduler_of(tmp_path, search, POINTS)
    scheduler.fail(scheduler.next_job(), "it died", 3, final=True)
    assert scheduler.next_job() is None
    assert [state for *_, state in search.results] == ["failed", "failed"]


def test_the_manifest_records_each_proposed_point_and_keeps_it(tmp_path):
    scheduler = scheduler_of(tmp_path, ScriptedSearch(TRIALS[:2]), POINTS, repeats=SEEDS[:2])
    all_jobs(scheduler)
    stored = read_manifest(tmp_path)
    assert stored.points[1] == {
        "number": 1, "words": ["lr=2"], "values": {"lr": "2"},
        "jobs": ["lr-2_seed-0", "lr-2_seed-1"],
    }  # fmt: skip
    scheduler = scheduler_of(tmp_path, ScriptedSearch(TRIALS[2:]), POINTS)
    all_jobs(scheduler)
    assert [point["number"] for point in read_manifest(tmp_path).points] == [0, 1, 2]


def test_a_resumed_search_counts_the_jobs_that_ended_earlier(tmp_path):
    first = scheduler_of(tmp_path, ScriptedSearch(TRIALS), POINTS, repeats=SEEDS[:2])
    jobs = all_jobs(first)
    end(first, jobs[0], 0.5)
    end(first, jobs[1], 0.9)
    first.prune(jobs[2], 1, 0.1)
    end(first, jobs[4], 0.6)
    again = scheduler_of(tmp_path, ScriptedSearch(TRIALS[2:]), POINTS, repeats=SEEDS[:2])
    assert again.ended == 4  # both repeats of the two finished trials
    assert again.best == (0.9, "lr=1")
    assert names(all_jobs(again)) == ["lr-3_seed-1"]
    assert again.ended == 5


def test_a_trial_that_ended_unreported_is_reported_and_counted_once(tmp_path):
    first = scheduler_of(tmp_path, ScriptedSearch(TRIALS[:1]), POINTS)
    finish(first.next_job(), 0.7)  # and then the sweep was killed
    search = ScriptedSearch(TRIALS[:1])
    again = scheduler_of(tmp_path, search, POINTS)
    assert again.next_job() is None
    assert search.results == [(0, 0.7, "done")]
    assert again.ended == 1


def test_a_damaged_manifest_is_named_and_belongs_to_no_sweep(tmp_path):
    listed(tmp_path)
    assert holds_sweep(tmp_path, "identity")
    assert not holds_sweep(tmp_path, "another")
    (tmp_path / "sweep.json").write_text('{"words": [')
    assert not holds_sweep(tmp_path, "identity")
    with pytest.raises(UserError, match=r"sweep\.json cannot be read"):
        read_manifest(tmp_path)
    assert read_manifest(tmp_path / "nowhere") is None
