"""The outputs of all folds are saved; metrics over all folds need no second evaluation."""

import shutil

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

from dlcourse import atomic_files
from dlcourse.core import Metric
from dlcourse.engine import folds, predictions
from dlcourse.engine import run as engine
from dlcourse.engine.datasets import examples_to_test, load_data, split_training_data
from dlcourse.engine.instantiate import build
from dlcourse.engine.reopen import load_model
from dlcourse.engine.result import measure_outputs
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.runs import run_folder

CASES = {
    "kfold": ["split=kfold", "split.folds=3"],
    "repeated": ["split=repeated_kfold", "split.folds=2", "split.repeats=2"],
    "nested": ["split=nested", "split.outer=3", "split.inner=2", "split.fold=1"],
}


def evaluate_folds(cfg, folder):
    """Evaluate every fold's best weights; return (val outputs, test outputs, part) of each."""
    dataset, runtime = load_data(cfg), build(cfg["runtime"])()
    found = []
    for part in split_training_data(cfg, dataset):
        model, standardize = load_model(cfg, runtime, folder / part.name)
        prepare = runtime.prepare(dataset.input_shape)
        with torch.no_grad():
            val, test = (
                model(prepare(standardize(examples.inputs)))
                for examples in (dataset.train.subset(part.val), examples_to_test(dataset, part))
            )
        found.append((val, test, part))
    return dataset, found


@pytest.mark.parametrize("case", CASES)
def test_out_of_fold_rows_are_the_outputs_of_each_folds_best_weights(case, tiny, tmp_path):
    cfg = tiny("model=mlp", "optim.lr=0.01", *CASES[case])
    run(cfg, tmp_path / "run")
    dataset, found = evaluate_folds(cfg, tmp_path / "run")
    rows = np.load(tmp_path / "run/out_of_fold.npz")
    result = run_folder.read_result(tmp_path / "run")
    outputs = torch.cat([val for val, _, _ in found])
    position = torch.cat([part.val for _, _, part in found])
    np.testing.assert_allclose(rows["outputs"], outputs, rtol=1e-5, atol=1e-5)
    assert rows["outputs"].dtype == np.float32
    assert rows["position"].tolist() == position.tolist()
    assert rows["fold"].tolist() == [i for i, (val, _, _) in enumerate(found) for _ in val]
    assert rows["targets"].tolist() == dataset.train.targets[position].tolist()

    shares, targets = outputs.double().softmax(1), rows["targets"]
    assert result["out_of_fold"]["accuracy"] == accuracy_score(targets, shares.argmax(1))
    assert result["out_of_fold"]["loss"] == pytest.approx(
        log_loss(targets, shares, labels=range(10)), rel=1e-5
    )
    tests = torch.stack([test for _, test, _ in found]).double()
    mean = tests.softmax(2).mean(0)
    targets = examples_to_test(dataset, found[0][2]).targets
    assert result["ensemble"]["accuracy"] == accuracy_score(targets, mean.argmax(1))
    assert result["ensemble"]["loss"] == pytest.approx(
        log_loss(targets, mean, labels=range(10)), rel=1e-5
    )
    counts = np.unique(rows["position"], return_counts=True)[1]
    assert set(counts) == {2 if case == "repeated" else 1}


def test_the_comparison_detects_outputs_of_other_weights(tiny, tmp_path):
    cfg = tiny("model=mlp", "optim.lr=0.01", *CASES["kfold"])
    run(cfg, tmp_path / "run")
    first, second = (tmp_path / f"run/fold{i}/checkpoints/best.pt" for i in (0, 1))
    shutil.copy(second, first)
    _, found = evaluate_folds(cfg, tmp_path / "run")
    rows = np.load(tmp_path / "run/fold0/predictions.npz")
    assert np.abs(rows["outputs"] - found[0][0].numpy()).max() > 1e-2


def test_a_nested_run_tests_on_its_outer_fold_and_not_on_the_test_part_of_the_data(
    tiny, tmp_path, monkeypatch
):
    cfg = tiny("model=mlp", *CASES["nested"])
    true_load = engine.load_data

    def without_test(cfg):
        dataset = true_load(cfg)
        dataset.test.inputs.zero_()
        dataset.test.targets.fill_(-1)  # a loss over them would raise
        return dataset

    monkeypatch.setattr(engine, "load_data", without_test)
    run(cfg, tmp_path / "run")
    fold = run_folder.read_result(tmp_path / "run/fold0")
    assert fold["examples"] == {"train": 20, "val": 20, "test": 20}


def test_a_run_stopped_between_folds_ends_with_the_same_files(tiny, tmp_path, monkeypatch):
    cfg = tiny("model=mlp", *CASES["kfold"])
    run(cfg, tmp_path / "whole")
    true_run_fold = folds.run_fold

    def stopped(*arguments):
        if arguments[1].name == "fold1":
            raise KeyboardInterrupt
        return true_run_fold(*arguments)

    monkeypatch.setattr(folds, "run_fold", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(cfg, tmp_path / "halves")
    assert (tmp_path / "halves/fold0/predictions.npz").exists()
    assert not (tmp_path / "halves/out_of_fold.npz").exists()
    monkeypatch.setattr(folds, "run_fold", true_run_fold)
    run(cfg, tmp_path / "halves")
    names = ["out_of_fold.npz", *(f"fold{i}/predictions.npz" for i in range(3))]
    for name in names:
        whole, halves = (atomic_files.load_arrays(tmp_path / f / name) for f in ("whole", "halves"))
        assert whole.keys() == halves.keys()
        assert all(np.array_equal(whole[key], halves[key]) for key in whole)
    results = [run_folder.read_result(tmp_path / name) for name in ("whole", "halves")]
    for key in ("out_of_fold", "ensemble", "mean", "std"):
        assert results[0][key] == results[1][key]


def test_a_finished_fold_without_predictions_computes_them_without_training(
    tiny, tmp_path, monkeypatch
):
    """Runs of an older dlcourse have no predictions."""
    cfg = tiny("model=mlp", *CASES["kfold"])
    run(cfg, tmp_path / "run")
    before = atomic_files.load_arrays(tmp_path / "run/out_of_fold.npz")
    for name in ("result.json", "out_of_fold.npz", "fold1/predictions.npz"):
        (tmp_path / "run" / name).unlink()
    monkeypatch.setattr("dlcourse.train.fit.epoch_steps", None)
    run(cfg, tmp_path / "run")
    after = atomic_files.load_arrays(tmp_path / "run/out_of_fold.npz")
    assert all(np.array_equal(before[key], after[key]) for key in before)


def test_damaged_predictions_are_named_with_the_remedy(tiny, tmp_path):
    cfg = tiny("model=mlp", *CASES["kfold"])
    run(cfg, tmp_path / "run")
    (tmp_path / "run/result.json").unlink()
    path = tmp_path / "run/fold1/predictions.npz"
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(UserError, match=r"(?s)fold1/predictions\.npz.*Delete it, and resume"):
        run(cfg, tmp_path / "run")
    path.unlink()
    run(cfg, tmp_path / "run")


def test_predictions_are_written_before_the_result_of_the_fold(tiny, tmp_path, monkeypatch):
    seen = []
    true_write = run_folder.write_result

    def watched_write(folder, result):
        seen.append((folder.name, predictions.has_predictions(folder)))
        true_write(folder, result)

    monkeypatch.setattr(run_folder, "write_result", watched_write)
    run(tiny("model=mlp", "split=kfold", "split.folds=2"), tmp_path / "run")
    assert seen == [("fold0", True), ("fold1", True), ("run", False)]


def test_an_ensemble_for_regression_is_the_mean_of_the_outputs(compose, tmp_path):
    overrides = ["data=diabetes", "data.examples=60", "model=linear", "optim=closed_form"]
    cfg = compose(*overrides, "split=kfold", "split.folds=3", "observe=[]", "runtime=cpu")
    run(cfg, tmp_path / "run")
    result = run_folder.read_result(tmp_path / "run")
    _, found = evaluate_folds(cfg, tmp_path / "run")
    mean = torch.stack([test for _, test, _ in found]).mean(0)
    error = (mean - load_data(cfg).test.targets).square().mean().sqrt().item()
    assert result["ensemble"]["rmse"] == pytest.approx(error, rel=1e-5)
    assert result["ensemble"]["rmse"] < result["mean"]["test/rmse"]  # by Jensen's inequality


class Broken(Metric):
    def measure(self, outputs, targets):
        raise RuntimeError("only for one model")

    def report(self, sums, examples):
        return {"broken": 0.0}


def test_a_metric_that_fails_is_left_out_and_the_others_remain(caplog):
    outputs, targets = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
    found = measure_outputs(outputs, targets, torch.nn.functional.cross_entropy, [Broken()])
    assert found.keys() == {"loss"}
    assert "Broken" in caplog.text
    assert measure_outputs(outputs[:0], targets[:0], None, [Broken()]) == {}
