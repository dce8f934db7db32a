"""The baselines: scikit-learn on the examples of a run, chosen by validation, tested once."""

import csv
import json
import re
import sys

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.svm import SVC, SVR

from dlcourse.baseline import fit_baselines
from dlcourse.baseline.arguments import METHOD_OPTIONS
from dlcourse.commands.baseline import OPTION_LINES, help_for
from dlcourse.commands.main import run_command
from dlcourse.core import Dataset
from dlcourse.drawing.methods import accuracy_interval
from dlcourse.engine.datasets import load_data, make_fold, split_training_data
from dlcourse.engine.instantiate import build
from dlcourse.lecture.topics.nested_cross_validation import expected_best
from dlcourse.metric.r2 import R2
from dlcourse.metric.rmse import RMSE

FEW = ["data.examples=200", "data.size=8"]


@pytest.fixture
def baseline(tmp_path, data_root, monkeypatch, capsys):
    """Return a function that runs ``dlcourse baseline``: its text, results.json and results.csv."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DLCOURSE_DATA", str(data_root))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dlcourse baseline", *arguments])
        run_command("baseline")
        folder = max((tmp_path / "outputs/baseline").iterdir())
        names = {path.name for path in folder.iterdir()}
        assert names == {"results.csv", "results.json", "methods.png", "methods.svg"}
        with open(folder / "results.csv") as file:
            rows = list(csv.DictReader(file))
        return capsys.readouterr().out, json.loads((folder / "results.json").read_text()), rows

    return run


def tables(config, number=0):
    """Return a fold's standardised parts and the test part, made by the code of a run."""
    runtime = build(config["runtime"])()
    dataset = load_data(config)
    part = split_training_data(config, dataset)[number]
    fold = make_fold(config, dataset, part, runtime)
    test = dataset.test if part.test is None else dataset.train.subset(part.test)
    assert fold.val is not None
    return [
        (fold.standardize(split.inputs).flatten(1).numpy(), split.targets.numpy())
        for split in (fold.train, fold.val, test)
    ]


def by_name(numbers):
    return {one["method"]: one for one in numbers["methods"]}


def test_classifiers_are_scikit_learns_on_the_runs_own_split(baseline, compose):
    options = [*FEW, "data.random_labels=0.2", "data.standardize=pixel", "split.seed=3", "seed=5"]
    text, numbers, _ = baseline("method=all", "stumps.n=10", "forest.n=20", *options)
    (x, y), val, test = tables(compose("runtime=cpu", *options))
    own = {
        "knn": KNeighborsClassifier(5),
        "svm": SVC(),
        "stumps": HistGradientBoostingClassifier(max_depth=1, max_iter=10, early_stopping=False),
        "forest": RandomForestClassifier(20, random_state=5),
        "linear": LogisticRegression(max_iter=1000, tol=1e-3),
        "majority": DummyClassifier(),
    }
    found = by_name(numbers)
    assert set(found) == set(own)
    for name, estimator in own.items():
        estimator.fit(x, y)
        assert found[name]["val"]["accuracy"] == estimator.score(*val), name
        assert found[name]["test"]["accuracy"] == estimator.score(*test), name
        assert f"{found[name]['test']['accuracy']:.4f}" in text
    assert numbers["examples"] == {"train": len(x), "val": len(val[0]), "test": len(test[0])}
    assert found["forest"]["val"] != found["majority"]["val"]


def test_regressions_are_scikit_learns_with_the_metrics_of_a_run(baseline, compose):
    _, numbers, _ = baseline("data=diabetes", "stumps.n=20", "forest.n=20")
    (x, y), _, (inputs, targets) = tables(compose("data=diabetes", "runtime=cpu"))
    mean, spread = y.mean(), y.std()
    svr = SVR().fit(x, (y[:, 0] - mean) / spread)
    predicted = {
        "knn": KNeighborsRegressor(5).fit(x, y[:, 0]).predict(inputs),
        "svm": svr.predict(inputs) * spread + mean,
        "stumps": HistGradientBoostingRegressor(max_depth=1, max_iter=20, early_stopping=False)
        .fit(x, y[:, 0])
        .predict(inputs),
        "forest": RandomForestRegressor(20, random_state=0).fit(x, y[:, 0]).predict(inputs),
        "linear": Ridge().fit(x, y[:, 0]).predict(inputs),
    }
    answers = torch.from_numpy(targets).double()
    for name, values in predicted.items():
        outputs = torch.from_numpy(np.asarray(values, dtype=np.float64))[:, None]
        expected = {
            **RMSE().report(RMSE().measure(outputs, answers), len(answers)),
            **R2().report(R2().measure(outputs, answers), len(answers)),
        }
        assert by_name(numbers)[name]["test"] == pytest.approx(expected, rel=1e-4), name


def test_the_best_value_by_validation_is_chosen_and_alone_tested(baseline, compose):
    _, numbers, rows = baseline("method=knn,svm", "knn.neighbors=1,3,40", "svm.c=0.001,10", *FEW)
    (x, y), val, test = tables(compose("runtime=cpu", *FEW))
    scores = {k: KNeighborsClassifier(k).fit(x, y).score(*val) for k in (1, 3, 40)}
    knn = by_name(numbers)["knn"]
    assert [one["val"]["accuracy"] for one in knn["tried"]] == list(scores.values())
    best = max(scores, key=lambda k: scores[k])  # of equals the first
    assert knn["options"] == {"neighbors": best}
    assert knn["test"]["accuracy"] == KNeighborsClassifier(best).fit(x, y).score(*test)
    assert by_name(numbers)["svm"]["options"] == {"c": 10, "gamma": "scale"}
    assert len(rows) == 5
    assert [row["chosen"] for row in rows].count("1") == 2
    assert all(bool(row["test/accuracy"]) == (row["chosen"] == "1") for row in rows)


@pytest.mark.parametrize("split", ["stratified_kfold", "nested"])
def test_in_cross_validation_the_metrics_are_means_over_the_folds(split, baseline, compose):
    folds = "split.folds=3" if split == "stratified_kfold" else "split.inner=3"
    options = [*FEW, f"split={split}", folds]
    text, numbers, _ = baseline("method=knn", "knn.neighbors=1,9", *options)
    assert "means over 3 folds" in text
    config, val, test = compose("runtime=cpu", *options), {1: [], 9: []}, {1: [], 9: []}
    for number in range(3):
        (x, y), held, tested = tables(config, number)
        for k in val:
            model = KNeighborsClassifier(k).fit(x, y)
            val[k].append(model.score(*held))
            test[k].append(model.score(*tested))
    best = max(val, key=lambda k: np.mean(val[k]))
    (knn,) = numbers["methods"]
    assert knn["options"] == {"neighbors": best}
    assert knn["val"]["accuracy"] == pytest.approx(np.mean(val[best]))
    assert knn["test"]["accuracy"] == pytest.approx(np.mean(test[best]))


def test_without_a_validation_part_one_value_is_fitted(baseline):
    text, numbers, _ = baseline("method=knn", "split.fraction=0", *FEW)
    assert numbers["methods"][0]["val"] is None
    assert numbers["examples"]["val"] == 0
    assert " - " in text


def test_several_values_of_a_regression_are_learned_one_by_one(compose, monkeypatch):
    plan = fit_baselines.BaselinePlan(compose("data=diabetes", "runtime=cpu"), "diabetes", {})
    single = load_data(plan.config)

    def doubled(config):
        both = [
            fit_baselines.Split(part.inputs, torch.cat([part.targets, -part.targets], 1))
            for part in (single.train, single.test)
        ]
        return Dataset("two", *both)

    alone = fit_baselines.fit_method(
        "stumps", [{"n": 9, "rate": 0.1}], fit_baselines.fold_tables(plan)
    )
    monkeypatch.setattr(fit_baselines, "load_data", doubled)
    pair = fit_baselines.fit_method(
        "stumps", [{"n": 9, "rate": 0.1}], fit_baselines.fold_tables(plan)
    )
    assert pair.test == pytest.approx(alone.test, rel=1e-6)


def test_for_large_data_the_time_is_estimated_from_few_examples(baseline, monkeypatch):
    monkeypatch.setattr(fit_baselines, "TRIAL", 20)
    monkeypatch.setattr("dlcourse.commands.baseline.WORTH_SAYING", 0)
    text, *_ = baseline("method=knn,svm", "svm.c=1,10", *FEW)
    assert text.startswith("This takes about ")
    assert re.search(r"for 160 training examples \(knn \d+ s, svm \d+ s\); data.examples=", text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["method=svn"], "method=svm"),
        (["knn"], "knn has no method= in front"),
        (["method=knn", "svm.c=1"], "svm.c=1 belongs to method=svm, which is not chosen"),
        (["knn.k=3"], "knn.k=3 is not understood; allowed: "),
        (["knn.neighbors=0"], "knn.neighbors=0 is not allowed: knn.neighbors takes a whole number"),
        (["svm.gamma=auto"], "svm.gamma=auto is not allowed"),
        (["model=lenet"], "model=lenet is not for baseline, which trains no network"),
        (["optim.lr=1"], "optim.lr=1 is not for baseline"),
        (["data=mnits"], "did you mean mnist"),
        (["metod=knn"], "did you mean method"),
        (["data.reconstruct=true"], "data.reconstruct=true makes each input a target"),
        (["knn.neighbors=1,3", "split.fraction=0"], "knn has several values to choose from"),
        (["knn.neighbors=1000", *FEW], "knn.neighbors=1000 is more than the 160 training examples"),
    ],
)
def test_each_mistake_gets_one_message(arguments, message, baseline, capsys, tmp_path):
    with pytest.raises(SystemExit) as ended:
        baseline(*arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "outputs").exists()


def test_streamed_images_are_refused(baseline, tmp_path, capsys):
    from PIL import Image

    for part, name in ((part, name) for part in ("train", "test") for name in "ab"):
        folder = tmp_path / "my_images" / part / name
        folder.mkdir(parents=True)
        for number in range(6):
            pixels = np.full((8, 8, 3), 40 * number, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    options = ["data=image_folder", f"data.root={tmp_path}/my_images", "data.size=8"]
    baseline("method=majority", *options)
    with pytest.raises(SystemExit):
        baseline("method=majority", *options, "data.memory=0")
    assert "These images are streamed from the disk" in capsys.readouterr().err


@pytest.mark.parametrize(("right", "examples"), [(0, 20), (7, 10), (353, 360), (360, 360)])
def test_the_interval_of_an_accuracy_is_wilsons(right, examples):
    expected = binomtest(right, examples).proportion_ci(method="wilson")
    found = accuracy_interval(right / examples, examples)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_the_best_of_many_guessers_is_as_good_as_simulated():
    draws = np.random.default_rng(0).binomial(20, 0.5, (4000, 30)).max(1) / 20
    assert expected_best(30, 20) == pytest.approx(draws.mean(), abs=0.005)
    assert expected_best(1, 60) == pytest.approx(0.5)


def test_the_help_explains_every_option():
    assert set(OPTION_LINES) == set(METHOD_OPTIONS)
    for key, bounds in METHOD_OPTIONS.items():
        assert OPTION_LINES[key].startswith(str(bounds.example))
        assert key in help_for([])
