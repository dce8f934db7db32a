"""The protocol of an experiment: select by validation, test once, keep folds separate."""

import json

import numpy as np
import pytest
import torch

from dlcourse.engine import fold as fold_module
from dlcourse.engine import folds
from dlcourse.engine import run as engine
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.runs import run_folder


def test_folds_are_aggregated_as_numpy_does(tiny, tmp_path):
    cfg = tiny("model=mlp", "split=stratified_kfold", "split.folds=3", "data.examples=90")
    best = run(cfg, tmp_path / "run")
    result = run_folder.read_result(tmp_path / "run")
    folds = [run_folder.read_result(tmp_path / f"run/fold{i}") for i in range(3)]
    accuracies = [fold["val"]["accuracy"] for fold in folds]
    assert best == result["best"] == np.mean(accuracies)
    assert result["mean"]["val/accuracy"] == np.mean(accuracies)
    assert result["std"]["val/accuracy"] == np.std(accuracies, ddof=1)
    assert result["mean"]["test/loss"] == np.mean([fold["test"]["loss"] for fold in folds])
    assert sum(fold["examples"]["val"] for fold in folds) == 90
    assert [fold["name"] for fold in result["folds"]] == ["fold0", "fold1", "fold2"]


def test_every_fold_starts_with_a_fresh_model_and_its_own_standardisation(
    tiny, tmp_path, monkeypatch
):
    starts = []
    true_fit = folds.fit

    def watched_fit(state, fold, recipe, observers):
        weights = {name: value.clone() for name, value in state.model.state_dict().items()}
        starts.append((weights, len(state.history), fold))
        return true_fit(state, fold, recipe, observers)

    monkeypatch.setattr(folds, "fit", watched_fit)
    run(tiny("model=mlp", "split=kfold", "split.folds=3"), tmp_path / "run")
    first = starts[0][0]
    for weights, epochs, fold in starts:
        assert epochs == 0
        assert all(torch.equal(weights[name], first[name]) for name in first)
        pixels = fold.train.inputs.double()
        assert fold.standardize.mean.item() == pytest.approx(pixels.mean().item(), rel=1e-5)


def test_the_test_part_is_read_once_and_after_training(tiny, tmp_path, monkeypatch):
    evaluated = []
    true_evaluate, true_fit = fold_module.evaluate_split, folds.fit

    def watched_evaluate(model, examples, *more, **options):
        evaluated.append(len(examples))
        return true_evaluate(model, examples, *more, **options)

    def watched_fit(*arguments):
        assert not evaluated
        return true_fit(*arguments)

    monkeypatch.setattr(fold_module, "evaluate_split", watched_evaluate)
    monkeypatch.setattr(folds, "fit", watched_fit)
    run(tiny("model=mlp"), tmp_path / "run")
    assert evaluated == [360, 12]  # the test part, then the validation part for predictions.npz


def test_other_test_data_change_only_the_test_metrics(tiny, tmp_path, monkeypatch):
    from dlcourse.engine import datasets

    cfg = tiny("model=mlp")
    run(cfg, tmp_path / "first")
    true_load = datasets.load_data

    def spoiled(cfg):
        dataset = true_load(cfg)
        dataset.test.inputs.zero_()
        return dataset

    monkeypatch.setattr(engine, "load_data", spoiled)
    run(cfg, tmp_path / "second")
    first, second = (run_folder.read_result(tmp_path / name) for name in ("first", "second"))
    assert first["test"] != second["test"]
    for key in ("best", "best_epoch", "val"):
        assert first[key] == second[key]


def test_the_result_is_that_of_the_best_epoch_and_not_of_the_last(tiny, tmp_path):
    """With a rate that ruins the weights later, the last epoch is far from the best one."""
    cfg = tiny("model=mlp", "max_epochs=6", "optim=sgd", "optim.lr=3", "data.examples=300")
    run(cfg, tmp_path / "run")
    result = run_folder.read_result(tmp_path / "run")
    lines = (tmp_path / "run/history.jsonl").read_text().splitlines()
    history = [json.loads(line)["val/accuracy"] for line in lines]
    best = result["best_epoch"]
    assert result["best"] == max(history) == history[best - 1] > history[-1]
    cfg["max_epochs"] = best  # the control: a run that ends with this epoch
    run(cfg, tmp_path / "shorter")
    assert run_folder.read_result(tmp_path / "shorter")["test"] == result["test"]


def test_the_same_config_gives_the_same_result_and_another_seed_a_different_one(tiny, tmp_path):
    results = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        run(tiny("model=mlp", "model.dropout=0.2", f"seed={seed}"), tmp_path / name)
        results.append(run_folder.read_result(tmp_path / name)["test"]["loss"])
    assert results[0] == results[1] != results[2]


def test_another_seed_does_not_change_the_split(tiny, tmp_path, monkeypatch):
    parts = []
    true_fit = folds.fit

    def watched_fit(state, fold, *more):
        parts.append(fold.val.inputs.clone())
        return true_fit(state, fold, *more)

    monkeypatch.setattr(folds, "fit", watched_fit)
    for seed in (0, 1):
        run(tiny("model=mlp", f"seed={seed}"), tmp_path / str(seed))
    run(tiny("model=mlp", "split.seed=1"), tmp_path / "other")
    assert torch.equal(parts[0], parts[1])
    assert not torch.equal(parts[0], parts[2])


def test_a_run_without_validation_trains_on_all_examples(tiny, tmp_path):
    overrides = ["split.fraction=0", "stop=never", "monitor=train/loss", "mode=min"]
    run(tiny("model=mlp", *overrides), tmp_path / "run")
    result = run_folder.read_result(tmp_path / "run")
    assert result["examples"] == {"train": 60, "val": 0, "test": 360}
    assert result["val"] == {}


def test_a_regression_reports_r2_and_rmse(compose, tmp_path):
    overrides = ["data=sine", "data.train_examples=200", "data.noise=0.05", "observe=[]"]
    overrides += ["max_epochs=60", "optim.lr=0.02", "batch_size=32"]
    run(compose(*overrides), tmp_path / "run")
    result = run_folder.read_result(tmp_path / "run")
    assert result["monitor"] == "val/loss"
    assert result["test"]["r2"] > 0.8
    assert result["test"]["rmse"] == pytest.approx(result["test"]["loss"] ** 0.5, rel=1e-5)


def test_an_mlp_learns_the_moons_and_a_linear_model_does_not(compose, tmp_path):
    for model, low, high in (("mlp", 0.97, 1), ("linear", 0.8, 0.92)):
        overrides = ["data=moons", f"model={model}", "observe=[]", "optim.lr=0.01", "max_epochs=40"]
        run(compose(*overrides), tmp_path / model)
        accuracy = run_folder.read_result(tmp_path / model)["test"]["accuracy"]
        assert low <= accuracy <= high


def test_random_labels_are_fitted_and_do_not_generalise(tiny, tmp_path):
    overrides = ["data.random_labels=1", "max_epochs=60", "stop=never", "optim.lr=0.005"]
    run(tiny("model=mlp", *overrides), tmp_path / "run")
    lines = (tmp_path / "run/history.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["train/accuracy"] > 0.95
    assert run_folder.read_result(tmp_path / "run")["test"]["accuracy"] < 0.35


def test_a_finished_fold_is_not_trained_again(tiny, tmp_path, monkeypatch):
    cfg = tiny("model=mlp", "split=kfold", "split.folds=3")
    run(cfg, tmp_path / "run")
    before = run_folder.read_result(tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    monkeypatch.setattr(folds, "run_fold", None)
    run(cfg, tmp_path / "run")
    assert run_folder.read_result(tmp_path / "run") == before


def test_another_config_in_the_same_folder_is_refused(tiny, tmp_path):
    run(tiny("model=mlp"), tmp_path / "run")
    with pytest.raises(UserError, match="seed: 0 -> 5"):
        run(tiny("model=mlp", "seed=5"), tmp_path / "run")


@pytest.mark.parametrize("threads", [1, 2])
def test_runtime_threads_sets_the_number_of_threads(threads, tiny, tmp_path):
    run(tiny("model=linear", f"runtime.threads={threads}"), tmp_path / "run")
    assert torch.get_num_threads() == threads
    assert f"{threads} threads" in run_folder.read_result(tmp_path / "run")["device"]


def test_deterministic_algorithms_are_enabled_for_one_run_only(tiny, tmp_path):
    run(tiny("model=linear", "runtime.deterministic=true"), tmp_path / "one")
    assert torch.are_deterministic_algorithms_enabled()
    run(tiny("model=linear"), tmp_path / "two")
    assert not torch.are_deterministic_algorithms_enabled()
