"""The plan of a command: its jobs, the identity of the sweep, and all errors together."""

import pytest
from planning import SMALL, planned

from dlcourse.errors import UserError
from dlcourse.schema.compose import (
    compose_job,
    hydra_of_job,
    keep_for_options,
    without_hydra,
)
from dlcourse.schema.hydra_api import typed_overrides
from dlcourse.sweep import plan as plan_module
from dlcourse.sweep.manifest import MAY_CHANGE, values_of
from dlcourse.sweep.settings import OnError, read_on_error

LISTS = (*SMALL, "sweep=zip", "optim.lr=0.1,0.01", "batch_size=16,32")


def labels(plan):
    return [[job.label for job in jobs] for jobs in plan.jobs]


def test_the_config_of_a_job_is_that_of_the_same_run_alone():
    plan = planned(*SMALL, "sweep=zip", "optim=sgd,adam", "optim.lr=0.1,0.01", "seeds=2", "seed=3")
    assert len(plan.jobs) == 2
    for job in (job for jobs in plan.jobs for job in jobs):
        assert job.config == without_hydra(compose_job([*SMALL, *job.overrides], None))
    assert [job.config["seed"] for job in plan.jobs[0]] == [3, 4]
    assert len({job.folder for jobs in plan.jobs for job in jobs}) == 4


def test_the_overrides_that_hydra_records_repeat_the_job():
    plan = planned(*SMALL, "optim.lr=0.1,0.01", "seeds=2")
    job = plan.jobs[1][1]
    assert set(job.cfg.hydra.overrides.task) == {*SMALL, "optim.lr=0.01", "seed=1"}


def test_an_option_that_refers_to_the_seed_has_that_of_its_own_repeat():
    reference = "data.seed=${seed}"
    assert typed_overrides(compose_job([reference], None)) == [reference]
    (jobs,) = planned(*SMALL, reference, "seeds=3").jobs
    assert [job.config["data"]["seed"] for job in jobs] == [0, 1, 2]
    assert [hydra_of_job(job.cfg, job.folder).hydra.overrides.task[-2:] for job in jobs] == [
        [f"data.seed={seed}", f"seed={seed}"] for seed in range(3)
    ]


def test_seeds_repeat_every_point():
    plan = planned(*LISTS[:-1], "seeds=3", "seed=5")
    rate = ("optim.lr=0.1", "optim.lr=0.01")
    assert labels(plan) == [[f"{lr} seed={seed}" for seed in (5, 6, 7)] for lr in rate]


def test_nested_cross_validation_repeats_every_point_over_the_outer_folds():
    overrides = (*SMALL, "split=nested", "split.outer=3", "split.inner=2")
    plan = planned(*overrides, "optim.lr=0.1,0.01")
    assert [[job.config["split"]["fold"] for job in jobs] for jobs in plan.jobs] == [[0, 1, 2]] * 2
    assert plan.jobs[0][2].folder.name == "lr-0.1_fold-2"
    both = planned(*overrides, "seeds=2")
    repeats = [(job.config["seed"], job.config["split"]["fold"]) for job in both.jobs[0]]
    assert repeats == [(seed, fold) for seed in (0, 1) for fold in (0, 1, 2)]
    chosen = planned(*overrides, "split.fold=0,2")
    assert labels(chosen) == [["split.fold=0"], ["split.fold=2"]]


def test_a_command_without_lists_is_one_point():
    for method in ("grid", "zip", "one_at_a_time"):
        assert labels(planned(*SMALL, f"sweep={method}")) == [["defaults"]]
    assert labels(planned(*SMALL, "seeds=2")) == [["seed=0", "seed=1"]]


def test_points_typed_twice_share_their_jobs():
    plan = planned(*SMALL, "optim.lr=0.1,0.01,0.1")
    assert len(plan.points) == 3
    assert plan.jobs[0] is plan.jobs[2]


SAME = [
    LISTS[::-1],
    (*LISTS, "workers=2", "on_error=retry:3", "check=true", "data.root=elsewhere"),
    ("seed=1", *LISTS, "seed=0"),
]
OTHERS = [
    (*LISTS, "optim.lr=0.1,0.02"),
    (*LISTS, "optim.lr=0.01,0.1"),
    (*LISTS, "optim.lr=0.1"),
    (*LISTS, "model.dropout=0.5"),
    (*LISTS, "seed=1"),
    (*LISTS, "seeds=2"),
    (*LISTS, "sweep=one_at_a_time"),
]


def test_the_order_of_overrides_and_the_number_of_workers_keep_the_identity():
    first = planned(*LISTS)
    folders = {job.config["optim"]["lr"] * job.config["batch_size"]: job.folder
               for jobs in first.jobs for job in jobs}  # fmt: skip
    for overrides in SAME:
        plan = planned(*overrides)
        assert plan.identity == first.identity, overrides
        for job in (job for jobs in plan.jobs for job in jobs):
            assert folders[job.config["optim"]["lr"] * job.config["batch_size"]] == job.folder


@pytest.fixture
def _jobs_are_not_composed(monkeypatch):
    monkeypatch.setattr(plan_module, "all_jobs", lambda plan: [])


@pytest.mark.usefixtures("_jobs_are_not_composed")
def test_an_override_that_changes_a_job_changes_the_identity():
    identities = [planned(*overrides).identity for overrides in (LISTS, *OTHERS)]
    assert len(set(identities)) == len(identities)


@pytest.mark.usefixtures("_jobs_are_not_composed")
@pytest.mark.parametrize(
    ("method", "count_key"), [("random", "sweep.draws"), ("optuna", "sweep.trials")]
)
def test_more_points_keep_the_identity_and_another_seed_changes_it(method, count_key):
    overrides = (*SMALL, f"sweep={method}", "optim.lr=interval(0.01,0.1)")
    few, more = planned(*overrides, f"{count_key}=2"), planned(*overrides, f"{count_key}=4")
    other = planned(*overrides, f"{count_key}=2", "sweep.seed=1")
    assert few.identity == more.identity != other.identity
    assert more.points[: len(few.points)] == few.points


def test_the_number_of_workers_and_points_may_change_on_resuming():
    assert set(MAY_CHANGE) >= {"workers", "on_error", "check", "sweep.trials", "sweep.draws"}


def test_a_search_is_checked_with_every_value_and_both_bounds_before_it_starts():
    plan = planned(
        *SMALL, "sweep=optuna", "optim=sgd,adam,muon", "optim.lr=interval(0.01,0.1)",
        "model.widths=[8],[16]",
    )  # fmt: skip
    found = {override for point in plan.points for override in point}
    assert found == {
        "optim=sgd", "optim=adam", "optim=muon", "optim.lr=0.01", "optim.lr=0.1",
        "model.widths=[8]", "model.widths=[16]",
    }  # fmt: skip
    with pytest.raises(UserError, match=r"optim.lr=0.0 .*above 0"):
        planned(*SMALL, "sweep=optuna", "optim.lr=interval(0,0.1)")


def test_all_problems_are_reported_together_with_their_points():
    with pytest.raises(UserError) as refused:
        planned(*SMALL, "optim.lr=0.1,-1", "optim.weight_decay=0,-1")
    message = str(refused.value)
    assert "optim.lr=-1" in message
    assert "optim.weight_decay=-1" in message
    assert message.endswith("3 of 4 points cannot be run; nothing was started")


def test_the_first_problems_are_reported_and_the_rest_are_counted(monkeypatch):
    monkeypatch.setattr(plan_module, "MAX_LISTED", 2)
    with pytest.raises(UserError) as refused:
        planned(*SMALL, "optim.lr=-1,-2,-3", "seed=1,2,3")
    message = str(refused.value)
    assert "in optim.lr=-2 seed=1; optim.lr=-2 seed=2 and 1 more\n" in message
    assert "optim.lr=-3" not in message
    assert message.endswith(
        "... and 1 other problems\n9 of 9 points cannot be run; nothing was started"
    )


def test_the_message_about_a_single_point_is_in_the_singular():
    with pytest.raises(UserError, match="It cannot be run; nothing was started"):
        planned(*SMALL, "optim.lr=choice(-1)")


def test_too_many_combinations_are_refused(monkeypatch):
    monkeypatch.setattr(plan_module, "MAX_POINTS", 20)
    with pytest.raises(UserError, match="more than 20 combinations"):
        planned(*SMALL, "seed=range(7)", "optim.lr=0.1,0.2,0.3")


def test_an_override_below_a_swept_group_becomes_a_list_of_one():
    typed = [
        "optim=sgd,adam",
        "optim.lr=0.1",
        "model.widths=[8]",
        "optim.momentum@sgd=0.5",
        "seed=1",
    ]
    assert keep_for_options(["-m", *typed], typed) == [
        "-m", "optim=sgd,adam", "optim.lr=choice(0.1)", "model.widths=[8]",
        "optim.momentum@sgd=choice(0.5)", "seed=1",
    ]  # fmt: skip
    lists = ["model=mlp,cascade", "model.widths=[8,4]", "~model.norm", "+model.speed=2"]
    assert keep_for_options(lists, lists) == [
        "model=mlp,cascade", "model.widths=choice([8,4])", "~model.norm", "+model.speed=choice(2)",
    ]  # fmt: skip


def test_the_value_of_an_override_follows_its_first_equals_sign():
    assert values_of(["+model.speed=2", "optim.rates=[a=b]"]) == {
        "model.speed": "2",
        "optim.rates": "[a=b]",
    }


def test_on_error_is_continue_stop_or_retry():
    assert read_on_error("continue") == OnError(True, 0)
    assert read_on_error("stop") == OnError(False, 0)
    assert read_on_error("retry:12") == OnError(True, 12)
    for wrong in ("retry", "retry:0", "retry:-1", "retry:1.5", "Stop", "", None, "retry:1000"):
        with pytest.raises(UserError, match="continue, stop or retry:<times>"):
            read_on_error(wrong)
