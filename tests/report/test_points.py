"""Runs are found, grouped and ranked."""

import pytest
from run_folders import crossed, held_out, write_run, write_sweep

from dlcourse.errors import UserError
from dlcourse.report.points import column_keys, group_points, swept_keys
from dlcourse.report.ranking import by_measure, rank
from dlcourse.report.runs import find_runs


def points_of(*folders):
    return group_points(find_runs(list(folders)))


def test_runs_that_differ_in_the_seed_alone_are_one_point(tmp_path):
    for rate in (0.1, 0.01):
        for seed in (0, 1, 2):
            overrides = [f"optim.lr={rate}", f"seed={seed}"]
            write_run(tmp_path / f"{rate}-{seed}", *overrides, ending=held_out(rate + seed, 0.5))
    first, second = points_of(tmp_path)
    assert [repeat.seed for repeat in first.repeats] == [0, 1, 2]
    assert (first.val.n, first.val.mean) == (3, pytest.approx(1.01))
    assert second.values["optim.lr"] == 0.1
    assert column_keys([first, second]) == ["optim.lr"]


def test_a_run_without_an_override_of_a_key_has_its_default(tmp_path):
    write_run(tmp_path / "a", ending=held_out(0.8))
    write_run(tmp_path / "b", "optim.lr=0.5", ending=held_out(0.9))
    first, second = points_of(tmp_path)
    assert (first.values["optim.lr"], second.values["optim.lr"]) == (0.001, 0.5)
    assert swept_keys([first, second]) == ["optim.lr"]


def test_folds_are_repeats_and_their_overlap_widens_the_interval(tmp_path):
    monitor = 'monitor="val/own"'  # a metric without limits
    write_run(tmp_path / "a", monitor, ending=crossed([0.8, 0.9, 0.7, 0.8], [0.5, 0.6, 0.7, 0.6]))
    (tmp_path / "a/fold0").mkdir()
    (tmp_path / "a/fold0/result.json").write_text("{}")
    (point,) = points_of(tmp_path)
    assert [repeat.fold for repeat in point.repeats] == ["fold0", "fold1", "fold2", "fold3"]
    half = 3.182446305284263 * (0.02 / 3) ** 0.5 * (1 / 4 + 20 / 80) ** 0.5  # t for 3 degrees
    assert point.val.high == pytest.approx(0.8 + half)


def test_points_of_a_sweep_keep_its_order_its_duplicates_and_those_not_started(tmp_path):
    folder = write_sweep(
        tmp_path / "a sweep, with a comma",
        ["optim.lr"],
        [
            {"values": {"optim.lr": "0.5"}, "jobs": ["z"]},
            {"values": {"optim.lr": "0.1"}, "jobs": ["a", "b"]},
            {"values": {"optim.lr": "0.5"}, "jobs": ["z"]},
            {"values": {"optim.lr": "0.7"}, "jobs": ["never"]},
        ],
    )
    write_run(folder / "z", "optim.lr=0.5", ending=held_out(0.9))
    write_run(folder / "a", "optim.lr=0.1", ending=held_out(0.8))
    write_run(folder / "b", "optim.lr=0.1", "seed=1", ending=held_out(0.7))
    write_run(folder / "other", "optim.lr=0.3", ending=held_out(0.6))
    points = points_of(tmp_path, folder)
    assert [str(point.values["optim.lr"]) for point in points] == [
        "0.5",
        "0.1",
        "0.5",
        "0.7",
        "0.3",
    ]
    assert [point.runs[0].status for point in points][3] == "not started"
    assert [len(point.repeats) for point in points] == [1, 2, 1, 0, 1]
    assert len(rank(points)) == 4


def test_a_sweep_over_seeds_has_a_point_for_each_value_of_the_other_keys(tmp_path):
    jobs = [(rate, seed) for rate in ("0.1", "0.2") for seed in ("0", "1")]
    points = [
        {"values": {"optim.lr": r, "seed": s}, "jobs": [f"{r}-{s}"]} for r, s in [*jobs, jobs[0]]
    ]
    write_sweep(tmp_path, ["optim.lr", "seed"], points)
    for rate, seed in jobs:
        overrides = [f"optim.lr={rate}", f"seed={seed}"]
        write_run(tmp_path / f"{rate}-{seed}", *overrides, ending=held_out(0.5))
    assert [len(point.repeats) for point in points_of(tmp_path)] == [2, 2]


def test_the_ranking_does_not_depend_on_the_test_metric(tmp_path):
    for name, val, test in (("a", 0.7, 0.99), ("b", 0.9, 0.10), ("c", 0.8, 0.50)):
        write_run(tmp_path / name, f"model={name}", ending=held_out(val, test))
    assert [point.values["model"] for point in rank(points_of(tmp_path))] == ["b", "c", "a"]


def test_lower_is_better_in_mode_min_and_ties_keep_their_order(tmp_path):
    for name, val in (("a", 2.0), ("b", 1.0), ("c", 1.0)):
        write_run(tmp_path / name, f"model={name}", "mode=min", ending=held_out(val))
    assert [point.values["model"] for point in rank(points_of(tmp_path))] == ["b", "c", "a"]


def test_points_with_missing_runs_rank_last_and_nan_ranks_below_numbers(tmp_path):
    write_run(tmp_path / "a", "model=a", ending=held_out(0.99))
    write_run(tmp_path / "b", "model=a", "seed=1")
    write_run(tmp_path / "c", "model=c", ending=held_out(float("nan")))
    write_run(tmp_path / "d", "model=d", ending=held_out(0.1))
    ranked = rank(points_of(tmp_path))
    assert [point.values["model"] for point in ranked] == ["d", "c", "a"]
    assert (ranked[2].done, len(ranked[2].runs)) == (1, 2)


def test_points_with_different_monitors_are_separate(tmp_path):
    write_run(tmp_path / "a", ending=held_out(0.9, 0.9))
    write_run(tmp_path / "b", "monitor=train/loss", "mode=min", ending=held_out(0.1, 0.9))
    points = points_of(tmp_path)
    assert [[point.monitor for point in part] for part in by_measure(points)] == [
        ["val/accuracy"],
        ["train/loss"],
    ]
    assert points[1].test is None


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_result_is_named(content, tmp_path):
    write_run(tmp_path / "a")
    (tmp_path / "a/result.json").write_text(content)
    with pytest.raises(UserError, match=r"result\.json"):
        find_runs([tmp_path])


@pytest.mark.parametrize("content", ["{", "[]", '{"points": []}'])
def test_a_damaged_sweep_is_named(content, tmp_path):
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(UserError, match=r"sweep\.json cannot be read"):
        find_runs([tmp_path])
