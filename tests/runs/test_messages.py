"""The table at the end of a cross-validation."""

import pytest

from dlcourse.engine.run import run
from dlcourse.runs import run_folder
from dlcourse.runs.messages import folds_table

RESULT = {
    "folds": [{}, {}, {}],
    "mean": {"val/loss": 0.1713, "val/accuracy": 0.9555, "test/loss": 1, "test/accuracy": 0.9611},
    "std": {"val/loss": 0.0280, "val/accuracy": 0.0067, "test/loss": 0, "test/accuracy": 0.0028},
    "out_of_fold": {"loss": 0.1714, "accuracy": 0.9556},
    "ensemble": {"loss": 0.1661, "accuracy": 0.9694},
}


def test_the_table_has_the_folds_their_pooled_predictions_and_their_ensemble():
    assert folds_table(RESULT, 80) == [
        "3 folds               val  out-of-fold val             test  ensemble test",
        "loss      0.1713 ± 0.0280           0.1714  1.0000 ± 0.0000         0.1661",
        "accuracy  0.9555 ± 0.0067           0.9556  0.9611 ± 0.0028         0.9694",
    ]


@pytest.mark.parametrize("width", range(30, 100, 7))
def test_the_table_is_no_wider_than_the_terminal(width):
    table = folds_table(RESULT, width)
    assert max(map(len, table)) <= width
    assert table[2].startswith("accuracy")
    assert "0.9555 ± 0.0067" in table[2]


def test_a_hold_out_has_no_table(tiny, tmp_path):
    run(tiny("model=mlp"), tmp_path / "run")
    assert folds_table(run_folder.read_result(tmp_path / "run"), 80) == []


def test_a_table_of_an_older_result_has_only_its_columns():
    old = {"mean": {"val/loss": 1.0}, "std": {"val/loss": 0.5}, "folds": [{}, {}]}
    assert folds_table(old, 80) == ["2 folds              val", "loss     1.0000 ± 0.5000"]
