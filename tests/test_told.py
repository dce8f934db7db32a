"""What a person is told at the end of a cross-validation."""

from dlcourse import run_folder
from dlcourse.experiment import run
from dlcourse.told import lines


def test_folds_are_told_one_by_one_pooled_and_together(tiny, tmp_path):
    run(tiny("model=mlp", "metric=[accuracy]", "split=kfold", "split.folds=3"), tmp_path / "run")
    result = run_folder.read_result(tmp_path / "run")
    mean, std = result["mean"], result["std"]
    assert lines(result) == [
        *(f"{name} {mean[name]:.4f} ± {std[name]:.4f} over 3 folds" for name in mean),
        f"out-of-fold val/loss {result['out_of_fold']['loss']:.4f}",
        f"out-of-fold val/accuracy {result['out_of_fold']['accuracy']:.4f}",
        f"test/loss of the 3 models together {result['ensemble']['loss']:.4f}",
        f"test/accuracy of the 3 models together {result['ensemble']['accuracy']:.4f}",
    ]


def test_a_hold_out_has_told_everything_before(tiny, tmp_path):
    run(tiny("model=mlp"), tmp_path / "run")
    assert lines(run_folder.read_result(tmp_path / "run")) == []


def test_a_result_of_an_older_run_gets_the_lines_it_has():
    old = {"mean": {"val/loss": 1.0}, "std": {"val/loss": 0.5}, "folds": [{}, {}]}
    assert lines(old) == ["val/loss 1.0000 ± 0.5000 over 2 folds"]
