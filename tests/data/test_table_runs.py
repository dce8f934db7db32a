"""A run on a table with text and gaps: predict reads new tables as the run read its own."""

import csv
import json
import logging
import shutil

import numpy as np
import pandas
import pytest
import torch
from conftest import TINY, composed
from test_encoding import people

import dlcourse
from dlcourse.commands import predict
from dlcourse.core import Impute
from dlcourse.engine.run import run
from dlcourse.engine.same_data import refuse_other_data
from dlcourse.errors import UserError
from dlcourse.runs.migrate import (
    changed_defaults,
    earlier_defaults,
    migrated,
    without_later_keys,
)
from dlcourse.runs.run_folder import read_result
from dlcourse.schema.comparable import data_of, flat
from dlcourse.train.checkpoint import read_checkpoint, stored_map

OWN = ("data=csv", "data.file=t.csv", "model.widths=[8]", "data.missing=mean", "max_epochs=2")


def config_for(root, *overrides):
    """Return the config of a run on the table in a folder."""
    return composed(*[word for word in TINY if not word.startswith("data")], *OWN,
                    f"data.root={root}", *overrides)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the folder of a table, and of a run on it with two folds: t.csv, run/."""
    folder = tmp_path_factory.mktemp("tables")
    frame = people().assign(who=[f"p{n}" for n in range(120)])
    frame.to_csv(folder / "t.csv", index=False)
    more = ("data.target=kind", "data.id=who", "split=kfold", "split.folds=2")
    run(config_for(folder, *more), folder / "run")
    return folder


def rows_of_the_test(folder):
    """Return the rows of the table that a run tests, in its order, and its run."""
    made = dlcourse.load(folder / "run")
    frame = pandas.read_csv(folder / "t.csv").set_index("who", drop=False)
    return made, frame.loc[list(made.dataset.test.ids)]


def test_a_new_table_is_predicted_as_the_same_rows_of_the_runs_own(trained):
    made, frame = rows_of_the_test(trained)
    expected = made.predict(made.dataset.test.inputs)
    turned = frame.assign(extra="x")[["town", "extra", "sex", "fare", "age"]]
    assert torch.equal(made.predict(turned), expected)
    assert torch.equal(made.predict(turned.to_dict("records")), expected)
    turned.to_parquet(trained / "new.parquet")
    assert torch.equal(made.predict(trained / "new.parquet"), expected)
    only_one = made.predict(turned.head(1))  # nothing is learned from the new rows
    assert torch.allclose(only_one, expected[:1], atol=1e-6)


def test_the_command_writes_a_table_with_the_names_of_the_rows(trained, capsys):
    made, frame = rows_of_the_test(trained)
    frame.drop(columns="kind").to_csv(trained / "new.csv", index=False)
    predict.main([f"run={trained / 'run'}", f"table={trained / 'new.csv'}"])
    header, *rows = csv.reader(capsys.readouterr().out.splitlines())
    assert header == ["who", "class", "probability", "a", "b", "c"]
    assert [row[0] for row in rows] == list(frame["who"])
    expected = made.predict(made.dataset.test.inputs).numpy()
    shares = np.array([row[3:] for row in rows], dtype=float)
    assert np.allclose(shares, expected, atol=1e-6)
    assert [row[1] for row in rows] == ["abc"[k] for k in expected.argmax(1)]


def test_missing_columns_are_named_together_and_unknown_text_is_reported(trained, caplog):
    made, frame = rows_of_the_test(trained)
    with pytest.raises(UserError, match="has no column age, sex, which the run was trained on"):
        made.predict(frame.drop(columns=["age", "sex"]))
    with pytest.raises(UserError, match=r"(?s)row 1, column age: 'old' is not a number.*Correct"):
        made.predict(frame.astype({"age": object}).assign(age="old"))
    with caplog.at_level(logging.WARNING):
        made.predict(frame.assign(town="Oslo"))
    assert f"town: Oslo ({len(frame)})" in caplog.text


def test_the_checkpoint_has_the_statistics_of_the_folds_training_part(trained):
    for number in range(2):
        stored = stored_map(read_checkpoint(trained / f"run/fold{number}/checkpoints/best.pt"))
        assert isinstance(stored, Impute)
        assert float(stored.fill[0]) == pytest.approx(float(stored.mean[0]), rel=1e-5)  # of age
    own = dlcourse.load(trained / "run").folds
    assert not torch.equal(own[0].model.fill, own[1].model.fill)


def test_a_run_is_evaluated_on_another_table_with_its_own_encoding(trained):
    made, frame = rows_of_the_test(trained)
    frame[frame["town"] != "Wien"].to_csv(trained / "other.csv", index=False)
    from dlcourse.engine.retest import retest

    retested = retest(trained / "run", part="all", data=["data.file=other.csv"])
    rest = frame[frame["town"] != "Wien"].set_index("who", drop=False)
    assert retested.examples is not None
    expected = made.predict(rest.loc[list(retested.examples.ids)])
    assert torch.allclose(retested.predictions.float(), expected, atol=1e-6)


def test_a_resumed_run_ends_with_equal_weights_and_refuses_another_table(trained, tmp_path):
    shutil.copy(trained / "t.csv", tmp_path / "t.csv")
    config = config_for(tmp_path, "data.target=[age,fare]", "data.task=regression", "loss=mse",
                        "metric=[rmse]", "monitor=val/loss", "mode=min",
                        "data.exclude=[who]")  # fmt: skip
    run(config, tmp_path / "whole")
    run({**config, "max_epochs": 1}, tmp_path / "part")
    run(config, tmp_path / "part")
    for name in ("best", "last"):
        one, other = (
            read_checkpoint(tmp_path / folder / f"checkpoints/{name}.pt")["model"]
            for folder in ("whole", "part")
        )
        assert all(torch.equal(one[key], other[key]) for key in one)
    stored = json.loads((tmp_path / "whole/table.json").read_text())
    assert stored["targets"] == ["age", "fare"]
    rows = predict.table_rows(
        tmp_path / "whole", str(tmp_path / "t.csv"), predict.run_source(tmp_path / "whole", ())
    )
    assert rows[0] == ["line", "age", "fare"]
    other = people(seed=1).assign(who="x")
    other.to_csv(tmp_path / "t.csv", index=False)
    from dlcourse.engine.datasets import load_data

    with pytest.raises(UserError, match="was started with other data"):
        refuse_other_data(tmp_path / "whole", load_data(config).fingerprint)


def test_rows_that_cannot_be_predicted_have_no_prediction(trained, tmp_path, capsys):
    shutil.copy(trained / "t.csv", tmp_path / "t.csv")
    run(
        config_for(tmp_path, "data.target=kind", "data.id=who", "data.missing=drop"),
        tmp_path / "run",
    )
    made = dlcourse.load(tmp_path / "run")
    frame = people().head(20).assign(who="x")
    empty = frame[["age", "town"]].isna().any(axis=1).to_numpy()
    assert empty.any()
    assert np.array_equal(made.predict(frame).isnan().all(1).numpy(), empty)
    frame.to_csv(tmp_path / "new.csv", index=False)
    rows = predict.table_rows(
        tmp_path / "run", str(tmp_path / "new.csv"), predict.run_source(tmp_path / "run", ())
    )[1:]
    assert [row[1] == "" for row in rows] == empty.tolist()


def test_a_run_on_other_data_takes_no_table(tmp_path):
    run(composed(*TINY, "model=mlp"), tmp_path / "run")
    with pytest.raises(UserError, match="not trained on a user's own table"):
        dlcourse.load(tmp_path / "run").predict("new.csv")
    for words in ([], ["images=a.png", "table=a.csv"]):
        with pytest.raises(UserError, match=r"images= and table= are both .*\nType images="):
            predict.main([f"run={tmp_path / 'run'}", *words])
    assert read_result(tmp_path / "run") is not None


def test_an_old_run_on_a_table_keeps_its_numbers_in_32_bits_and_takes_no_text():
    old = {"data": {"_target_": "dlcourse.data.csv.csv", "file": "t.csv"}}
    data = migrated(old)["data"]
    assert (data["numbers"], data["text"], data["missing"]) == ("float32", "refuse", "refuse")
    kept = without_later_keys({"data": data})["data"]
    assert kept.keys() - old["data"].keys() == {"test_examples", "zca_epsilon"}  # of every data set
    resumed = changed_defaults({"random_streams": 1, "data": data})
    assert resumed == ["random_streams=1", "data.text=refuse", "data.numbers=float32"]
    assert earlier_defaults(["data=csv"], 2) == ["data.text=refuse", "data.numbers=float32"]
    assert earlier_defaults(["data=csv", "data.text=ordinal"], 2) == ["data.numbers=float32"]
    assert earlier_defaults(["data=csv"], 3) == earlier_defaults(["data=mnist"], 2) == []


def test_runs_on_other_columns_of_a_table_are_tested_on_the_same_rows(trained):
    from dlcourse.engine.retest import retest
    from dlcourse.engine.same_examples import SameExamples, same_examples

    more = ("data.target=kind", "data.id=who", "split=kfold", "split.folds=2")
    run(config_for(trained, *more, "data.features=[age]"), trained / "narrow")
    first, second = retest(trained / "run"), retest(trained / "narrow")
    assert isinstance(same_examples(first, second), SameExamples)
    second.config["data"]["file"] = "another.csv"
    assert same_examples(first, second) == "A and B are tested on different data"


def test_values_of_runs_that_fill_missing_cells_in_other_ways_can_be_compared():
    def known(missing):
        options = {"_target_": "dlcourse.data.csv.csv", "file": "t.csv", "missing": missing}
        return data_of(flat({"monitor": "val/accuracy", "data": options}))

    assert known("mean") == known("most_frequent") == known("refuse")
    assert known("mean") != known("drop")
