"""The comparison of the best two points, and the text on nested cross-validation."""

import csv

import pytest
from run_folders import crossed, held_out, write_run

from dlcourse.report.conclusions import best_two, compare, comparison_text
from dlcourse.report.nested import nest, nested_text
from dlcourse.report.points import group_points
from dlcourse.report.ranking import rank
from dlcourse.report.runs import find_runs
from dlcourse.report.write_report import write_report


def seeds(folder, **models):
    """Write a run for each seed of each model; return the ranked points."""
    for model, values in models.items():
        for seed, value in enumerate(values):
            overrides = [f"model={model}", f"seed={seed}"]
            write_run(folder / f"{model}{seed}", *overrides, ending=held_out(value))
    return rank(group_points(find_runs([folder])))


def test_the_best_two_are_compared_on_common_seeds(tmp_path):
    points = seeds(tmp_path, a=[0.91, 0.93, 0.95], b=[0.90, 0.93, 0.92], c=[0.1])
    test = compare(*best_two(points))
    assert test.n == 3
    assert test.difference == pytest.approx(0.04 / 3)
    text = comparison_text(*best_two(points), ["model"], len(points))
    assert text.startswith("model=a beats model=b by 0.0133 in val/accuracy (paired t-test over 3")
    assert "t = 1.51, p = 0.27): not significant at the 5 % level." in text
    assert "out of 3" in text


def test_two_points_alone_need_no_reminder_and_a_clear_lead_is_reported(tmp_path):
    points = seeds(tmp_path, a=[0.91, 0.92, 0.93, 0.94], b=[0.11, 0.12, 0.13, 0.15])
    text = comparison_text(*best_two(points), ["model"], len(points))
    assert text.endswith(": significant at the 5 % level.")


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ([0.9], [0.8], "over 1 seed: too few for a test"),
        ([0.9, 0.8], [0.9, 0.8], "is level with model=b in val/accuracy (paired t-test"),
        ([0.75, 0.5], [0.5, 0.25], "the same difference in each"),
    ],
)
def test_differences_that_cannot_be_tested_are_reported(first, second, message, tmp_path):
    assert message in comparison_text(*best_two(seeds(tmp_path, a=first, b=second)), ["model"], 2)


def test_points_without_a_common_seed_are_not_compared(tmp_path):
    write_run(tmp_path / "a", "model=a", "seed=0", ending=held_out(0.9))
    write_run(tmp_path / "b", "model=b", "seed=1", ending=held_out(0.8))
    points = rank(group_points(find_runs([tmp_path])))
    assert "no seed or fold in common" in comparison_text(*points, ["model"], 2)


def test_a_value_that_is_not_finite_is_not_compared(tmp_path):
    assert best_two(seeds(tmp_path, a=[0.9, 0.8], b=[0.7, float("nan")])) is None


def test_the_lower_value_leads_in_mode_min(tmp_path):
    for model, values in (("a", [1.0, 1.1]), ("b", [1.3, 1.2])):
        for seed, value in enumerate(values):
            overrides = [f"model={model}", f"seed={seed}", "mode=min", "monitor=val/loss"]
            write_run(tmp_path / f"{model}{seed}", *overrides, ending=held_out(value))
    points = rank(group_points(find_runs([tmp_path])))
    assert compare(*points).difference == pytest.approx(0.2)


@pytest.fixture
def outer_folds(tmp_path):
    """Return points of two models in three outer folds; each fold's inner folds choose by val."""
    values = {
        "a": [([0.9, 0.8], [0.5, 0.7]), ([0.6, 0.6], [0.9, 0.9]), ([0.9, 0.9], [0.8, 0.6])],
        "b": [([0.7, 0.7], [0.9, 0.9]), ([0.8, 0.7], [0.4, 0.6]), ([0.8, 0.8], [0.9, 0.9])],
    }
    for model, folds in values.items():
        for fold, (vals, tests) in enumerate(folds):
            result = crossed(vals, tests, ensemble={"accuracy": tests[0] + 0.05})
            overrides = [f"model={model}", f"split.fold={fold}"]
            write_run(tmp_path / f"{model}{fold}", *overrides, ending=result)
    return rank(group_points(find_runs([tmp_path])))


def test_each_outer_fold_chooses_by_its_inner_folds_alone(outer_folds):
    nested = nest(outer_folds)
    assert [outer.chosen.values["model"] for outer in nested.outers] == ["a", "b", "a"]
    assert [outer.inner for outer in nested.outers] == pytest.approx([0.85, 0.75, 0.9])
    assert [outer.test for outer in nested.outers] == pytest.approx([0.6, 0.5, 0.7])
    assert nested.honest.mean == pytest.approx(0.6)
    assert nested.honest.std == pytest.approx(0.1)
    assert nested.ensemble.mean == pytest.approx((0.55 + 0.45 + 0.85) / 3)
    assert nested.best.values["model"] == "a"
    assert nested.optimism == pytest.approx((1.7 + 1.2 + 1.8) / 6 - 0.6)


def test_the_nested_text_has_the_estimate_the_optimism_and_the_chosen_points(outer_folds):
    text = nested_text(nest(outer_folds), ["model"], 2)
    assert "test/accuracy 0.6000 ± 0.1000: what the tuning reaches" in text
    assert "val/accuracy 0.7833 of model=a, chosen for it, looks better by 0.1833" in text
    assert "outer fold 1 chose model=b (inner 0.7500, outer 0.5000)" in text


def test_runs_without_outer_folds_have_no_nested_text(tmp_path):
    write_run(tmp_path / "a", ending=crossed([0.9, 0.8], [0.7, 0.7]))
    assert nest(group_points(find_runs([tmp_path]))) is None


def printed_report(folder, capsys):
    write_report([folder], folder)
    return " ".join(capsys.readouterr().out.split())


def test_different_losses_have_separate_tables_and_are_not_compared(tmp_path, capsys):
    losses = {"cross_entropy": 0.4, "mse": 0.05}
    for number, (name, value) in enumerate((*losses.items(), *losses.items())):
        overrides = [
            f"loss._target_=dlcourse.loss.{name}.{name}",
            f"optim.lr={0.1 * (1 + number // 2)}",
        ]
        write_run(
            tmp_path / str(number), *overrides, 'monitor="val/loss"', 'mode="min"',
            ending=held_out(value * (1 + number // 2)),
        )  # fmt: skip
    text = printed_report(tmp_path, capsys)
    assert "val/loss of loss=cross_entropy; other losses have no common scale" in text
    assert "beats loss=mse" not in text
    assert text.count("The best by val/loss is in") == 2
    assert text.count("beats") == 2  # the two rates, for each loss
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert sorted(row["rank"] for row in rows) == ["1", "1", "2", "2"]


def test_points_are_ranked_among_those_on_the_same_data(tmp_path, capsys):
    number = 0
    for noise in (0.1, 0.5):
        for model, value in (("a", 0.9), ("b", 0.8)):
            overrides = ['data._target_="dlcourse.data.moons"', f"data.noise={noise}"]
            overrides += [f"model={model}"]
            write_run(tmp_path / str(number), *overrides, ending=held_out(value - noise))
            number += 1
    text = printed_report(tmp_path, capsys)
    assert "Values on different data (data.noise) cannot be compared" in text
    assert "On data.noise=0.1: The best by val/accuracy is in" in text
    assert text.count("model=a beats model=b by 0.1000 in val/accuracy") == 2
    rows = list(csv.DictReader((tmp_path / "results.csv").read_text().splitlines()))
    assert [row["rank"] for row in rows] == ["1", "2", "1", "2"]


def test_a_loss_that_an_older_dlcourse_measured_with_smoothing_is_separate(tmp_path, capsys):
    overrides = ['monitor="val/loss"', 'mode="min"']
    overrides += ["loss._target_=x.y", "loss.label_smoothing=0.1"]
    write_run(tmp_path / "old", *overrides, ending=held_out(0.4))
    write_run(tmp_path / "new", *overrides, "optim.lr=1", ending=held_out(0.2, plain_loss=True))
    text = printed_report(tmp_path, capsys)
    assert "loss.measured=smoothed" in text
    assert "beats" not in text
