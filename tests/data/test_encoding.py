"""Columns of text, dates and missing cells become numbers, with statistics of the fold alone."""

import json
import logging

import numpy as np
import pandas
import pytest
import torch
from rich.console import Console
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from test_tables import DEFAULTS

from dlcourse.atomic_files import to_json
from dlcourse.core import Impute, Split, Standardize
from dlcourse.data.csv import csv
from dlcourse.data.encoding import Unknown, as_dict, encode, from_dict
from dlcourse.data.parquet import parquet, table_of_rows
from dlcourse.data.transforms import standardize
from dlcourse.errors import UserError
from dlcourse.preview.columns import columns_table

NUMBERS, TEXTS = ["age", "fare"], ["sex", "town"]


def people(rows=120, seed=0):
    """Return a frame with missing numbers and texts, and a text that one row has."""
    draw = np.random.default_rng(seed)
    frame = pandas.DataFrame(
        {
            "age": draw.normal(40, 12, rows).round(1),
            "fare": draw.exponential(30, rows).round(2),
            "sex": draw.choice(["male", "female"], rows),
            "town": draw.choice(["Bern", "Ulm", "Wien"], rows),
            "kind": draw.choice(["a", "b", "c"], rows),
        }
    )
    frame.loc[draw.choice(rows, 20, replace=False), "age"] = np.nan
    frame.loc[draw.choice(rows, 20, replace=False), "town"] = None
    frame.loc[0, "town"] = "Rom"
    return frame


def load(folder, frame, **options):
    """Return the data set of a frame that was written as CSV."""
    frame.to_csv(folder / "t.csv", index=False, sep=";" if "separator" in options else ",")
    return csv(root=folder, seed=0, **{**DEFAULTS, "file": "t.csv", "target": "kind", **options})


def of_rows(frame, part):
    """Return the rows of a frame that a part of the data set has; a missing text is None."""
    rows = frame.iloc[[int(line) - 2 for line in part.ids]].copy()
    for name in set(TEXTS) & set(rows):
        rows[name] = rows[name].astype(object).where(rows[name].notna(), None)
    return rows


@pytest.mark.parametrize("how", ["mean", "median", "most_frequent"])
def test_a_folds_features_are_those_of_scikit_learn_fitted_on_its_training_part(how, tmp_path):
    frame = people()
    dataset = load(tmp_path, frame, missing=how)
    train, val = dataset.train.subset(torch.arange(50)), dataset.train.subset(torch.arange(50, 90))
    own = standardize(train, "channel", encoding=dataset.encoding)
    numbers = make_pipeline(SimpleImputer(strategy=how), StandardScaler())
    texts = make_pipeline(
        SimpleImputer(strategy="most_frequent", missing_values=None),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        StandardScaler(),
    )
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])
    columns.fit(of_rows(frame, train))
    for part in (train, val, dataset.test):
        theirs = columns.transform(of_rows(frame, part))
        ours = own(part.inputs).numpy()
        occurs = own.scale.numpy() > 0  # else scikit-learn has no column for the text
        assert occurs.sum() >= len(dataset.features) - 1
        assert np.allclose(ours[:, occurs], theirs, atol=1e-5)
    everything = standardize(dataset.train, "channel", encoding=dataset.encoding)
    assert not np.allclose(everything(val.inputs).numpy(), own(val.inputs).numpy(), atol=1e-3)


def test_a_text_that_no_training_example_of_a_fold_has_is_0(tmp_path):
    dataset = load(tmp_path, people(), missing="most_frequent")
    place = dataset.features.index("town=Rom") if "town=Rom" in dataset.features else None
    if place is None:
        pytest.skip("the only row with this text is tested")
    has = dataset.train.inputs[:, place] == 1
    for how in ("channel", "none"):
        own = standardize(
            dataset.train.subset((~has).nonzero().flatten()), how, encoding=dataset.encoding
        )
        assert own(dataset.train.inputs)[:, place].tolist() == [0] * len(has)


def test_the_values_of_text_are_those_of_the_training_rows(tmp_path, caplog):
    frame = people().fillna({"age": 40, "town": "Ulm"})
    known = load(tmp_path, frame)
    tested = of_rows(frame, known.test).index
    frame.loc[tested, "town"] = "Oslo"
    with caplog.at_level(logging.WARNING):
        dataset = load(tmp_path, frame)
    assert f"town: Oslo ({len(tested)})" in caplog.text
    assert "town=Oslo" not in dataset.features
    towns = [place for place, name in enumerate(dataset.features) if name.startswith("town=")]
    assert not dataset.test.inputs[:, towns].any()
    assert (dataset.train.inputs[:, towns].sum(1) == 1).all()


def test_dates_become_days_and_points_on_circles_as_in_pandas(tmp_path):
    times = pandas.date_range("1999-12-29 06:00", periods=60, freq="39h")
    frame = pandas.DataFrame({"day": times.strftime("%Y-%m-%dT%H:%M"), "kind": ["a", "b"] * 30})
    dataset = load(tmp_path, frame, date_parts=["days", "month", "weekday", "hour"])
    assert dataset.features == (
        "day days", "day month sin", "day month cos", "day weekday sin", "day weekday cos",
        "day hour sin", "day hour cos",
    )  # fmt: skip
    day = of_rows(pandas.DataFrame({"day": times}), dataset.train)["day"]
    angles = [
        (day.dt.month - 1) / 12,
        day.dt.day_of_week / 7,
        (day.dt.hour + day.dt.minute / 60) / 24,
    ]
    theirs = [(day - pandas.Timestamp("1970-01-01")) / pandas.Timedelta("1D")]
    theirs += [f(2 * np.pi * angle) for angle in angles for f in (np.sin, np.cos)]
    assert np.allclose(dataset.train.inputs.numpy(), np.array(theirs).T, atol=1e-3)
    german = frame.assign(day=times.strftime("%d.%m.%Y %H:%M"))
    other = load(tmp_path, german, date_format="%d.%m.%Y %H:%M", date_parts=["days"])
    assert torch.equal(other.train.inputs[:, 0], dataset.train.inputs[:, 0])


def test_numbers_that_lose_digits_in_32_bits_are_standardised_in_64(tmp_path):
    seconds = 1_700_000_000 + np.arange(60) * 0.25
    frame = pandas.DataFrame({"t": seconds, "x": np.arange(60) % 7, "kind": ["a", "b"] * 30})
    dataset = load(tmp_path, frame)
    rows = of_rows(frame, dataset.train)[["t", "x"]].to_numpy()
    exact = (rows - rows.mean(0)) / rows.std(0)
    own = standardize(dataset.train, "channel", encoding=dataset.encoding)
    assert own(dataset.train.inputs).dtype == torch.float32
    assert np.allclose(own(dataset.train.inputs).numpy(), exact, atol=1e-6)
    narrow = load(tmp_path, frame, numbers="float32")
    far = standardize(narrow.train, "channel", encoding=narrow.encoding)(narrow.train.inputs)
    assert not np.allclose(far.numpy(), exact, atol=1e-2)


def test_a_table_of_plain_numbers_is_standardised_as_every_other_data_set(tmp_path):
    dataset = load(tmp_path, people().drop(columns=TEXTS).dropna())
    own = standardize(dataset.train, "channel", encoding=dataset.encoding)
    assert type(own) is Standardize
    assert torch.equal(own.mean, standardize(dataset.train, "channel").mean)


KINDS = {
    "number": (["1", "2.5", "-3e2"], "number"),
    "boolean": (["yes", "no", "No"], "boolean"),
    "truth": (["True", "false", "TRUE"], "boolean"),
    "date": (["2024-02-29", "1999-12-31", "2000-01-01T12:30"], "date"),
    "text": (["red", "green", "7"], "one_hot"),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_kind_of_a_column_is_seen_in_its_cells(name, tmp_path):
    cells, kind = KINDS[name]
    frame = pandas.DataFrame({"x": cells * 10, "kind": ["a", "b"] * 15})
    assert load(tmp_path, frame).encoding.columns[0].kind == kind


def test_columns_are_numbered_or_one_hot_as_typed(tmp_path):
    frame = pandas.DataFrame({"size": ["S", "L", "M"] * 20, "code": [10, 9] * 30})
    frame["kind"] = ["a", "b", "b", "a"] * 15
    typed = {"ordinal": {"size": ["S", "M", "L"]}, "one_hot": ["code"]}
    dataset = load(tmp_path, frame, **typed)
    assert dataset.features == ("size", "code=9", "code=10")
    rows = of_rows(frame, dataset.train)
    numbers = rows["size"].map({"S": 0, "M": 1, "L": 2})
    assert dataset.train.inputs[:, 0].tolist() == numbers.tolist()
    assert dataset.train.inputs[:, 1].tolist() == (rows["code"] == 9).tolist()
    alphabetical = load(tmp_path, frame, text="ordinal")
    assert alphabetical.encoding.columns[0].values == ("L", "M", "S")


def test_rows_with_missing_cells_are_left_out_and_counted(tmp_path, caplog):
    frame = people()
    dataset = load(tmp_path, frame, missing="drop")
    assert len(dataset.train) + len(dataset.test) == len(frame.dropna())
    assert "age 20" in caplog.text
    unlabelled = frame.assign(kind=frame["kind"].where(frame.index > 9))
    dataset = load(tmp_path, unlabelled, missing="mean")
    assert len(dataset.train) + len(dataset.test) == len(frame) - 10


def test_weights_names_several_targets_and_test_rows_are_those_of_the_table(tmp_path):
    frame = people().dropna()
    frame["w"], frame["who"] = np.arange(len(frame)) / 2, [f"p{n}" for n in range(len(frame))]
    frame.tail(20).to_csv(tmp_path / "test.csv", index=False)
    first = frame.head(len(frame) - 20)
    more = {"target": ["fare", "age"], "task": "regression", "weight": "w", "id": "who"}
    dataset = load(tmp_path, first, test_file="test.csv", **more)
    assert (dataset.target_names, dataset.output_size) == (("fare", "age"), 2)
    assert dataset.train.ids.tolist() == first["who"].tolist()
    assert dataset.train.weights.tolist() == first["w"].tolist()
    assert dataset.test.ids.tolist() == frame.tail(20)["who"].tolist()
    theirs = first[["fare", "age"]].to_numpy().astype(np.float32)
    assert np.array_equal(dataset.train.targets.numpy(), theirs)
    assert not {"w", "who"} & set(dataset.features)


def test_columns_of_0_and_1_are_classes_of_a_multilabel_task(tmp_path):
    draw = np.random.default_rng(0)
    frame = pandas.DataFrame(draw.integers(0, 2, (60, 3)), columns=["x", "cat", "dog"])
    dataset = load(tmp_path, frame, target=["cat", "dog"], task="multilabel")
    assert (dataset.task, dataset.classes) == ("multilabel", ("cat", "dog"))
    rows = of_rows(frame, dataset.train)[["cat", "dog"]]
    assert np.array_equal(dataset.train.targets.numpy(), rows.to_numpy().astype(np.float32))


def test_the_columns_of_a_table_are_listed_before_training(tmp_path, capsys):
    frame = people().assign(day=pandas.date_range("2024-01-01", periods=120).strftime("%Y-%m-%d"))
    Console(width=120).print(columns_table(load(tmp_path, frame, missing="mean")))
    printed = capsys.readouterr().out
    rows = {line.split()[1]: line for line in printed.splitlines() if line.startswith("│")}
    assert "one_hot" in rows["town"]
    assert "Bern, Rom, Ulm" in rows["town"]
    assert "2024-01-01 to 2024-04-" in rows["day"]
    assert "number" in rows["age"]
    assert "a, b, c" in rows["kind"]


def test_a_decimal_comma_is_read(tmp_path):
    frame = people().dropna()
    points = load(tmp_path, frame)
    frame.to_csv(tmp_path / "c.csv", sep=";", decimal=",", index=False)
    more = {"file": "c.csv", "separator": "semicolon", "decimal": "comma", "target": "kind"}
    commas = csv(root=tmp_path, seed=0, **{**DEFAULTS, **more})
    assert torch.equal(points.train.inputs, commas.train.inputs)


def test_a_parquet_file_gives_the_same_data_set(tmp_path):
    frame = people().assign(day=pandas.Timestamp("2024-01-01"), ok=True)
    expected = load(tmp_path, frame.assign(ok="true"), missing="mean")
    frame.to_parquet(tmp_path / "t.parquet")
    shared = {key: value for key, value in DEFAULTS.items() if key not in ("separator", "decimal")}
    given = {**shared, "file": "t.parquet", "target": "kind", "missing": "mean"}
    found = parquet(root=tmp_path, seed=0, **given)
    assert found.features == expected.features
    assert torch.equal(found.train.inputs.nan_to_num(-1), expected.train.inputs.nan_to_num(-1))
    assert torch.equal(found.train.targets, expected.train.targets)


def test_values_of_python_and_pandas_become_cells():
    table = table_of_rows(
        [{"a": 1.0, "b": None, "c": True}, {"a": np.float32(0.5), "d": pandas.NA}]
    )
    assert table.header == ["a", "b", "c", "d"]
    assert table.rows == [["1", "", "true", ""], ["0.5", "", "", ""]]


def test_every_word_for_true_is_understood_in_a_new_table(tmp_path):
    frame = pandas.DataFrame({"ok": ["yes", "no"] * 30, "kind": ["a", "b"] * 30})
    encoding = load(tmp_path, frame).encoding
    rows = table_of_rows([{"ok": value} for value in (True, "FALSE", "no", 1, "0", np.bool_(1))])
    assert encode(encoding, rows, Unknown())[:, 0].tolist() == [1, 0, 0, 1, 0, 1]


def test_an_encoding_is_the_same_after_it_was_stored(tmp_path):
    encoding = load(tmp_path, people(), missing="median").encoding
    assert from_dict(json.loads(to_json(as_dict(encoding)))) == encoding


def test_filling_keeps_the_type_of_the_scale_and_fills_with_nothing_if_not_allowed():
    inputs = torch.tensor([[1.0, torch.nan], [3.0, 4.0]], dtype=torch.float64)
    mean, scale = torch.tensor([2.0, 5.0], dtype=torch.float64), torch.tensor([0.5, 2.0])
    filled = Impute(mean, scale, torch.tensor([0.0, 7.0], dtype=torch.float64))(inputs)
    assert filled.tolist() == [[-0.5, 4.0], [0.5, -2.0]]
    assert filled.dtype == torch.float32
    assert Impute(mean, scale, torch.full((2,), torch.nan))(inputs).isnan().sum() == 1
    assert Split(inputs, torch.zeros(2)).to(torch.device("cpu")).inputs.dtype == torch.float64


def frame_of(**columns):
    return pandas.DataFrame({"kind": ["a", "b"] * 30, **columns})


MOSTLY = [*map(str, range(57)), "x", "y", "z"]
NAMES = [f"n{n}" for n in range(60)]
WRONG = {
    "too many texts": (frame_of(x=NAMES), {"most_values": 10}, "48 different texts, and at most 10 "
                       r".*exclude=\[x\].*data.most_values=48"),
    "text in numbers": (frame_of(x=MOSTLY), {}, r"line 59, column x: 'x' is not a number.*missing_"
                        r"values.*one_hot=\[x\]"),
    "commas": (frame_of(x=["1,5"] * 60), {}, "'1,5' is not a number.*data.decimal=comma"),
    "points": (frame_of(x=["1.5"] * 60), {"separator": "semicolon", "decimal": "comma"},
               "'1.5' is not a number.*data.decimal=point"),
    "thousands": (frame_of(x=["1'234"] * 60), {}, "Remove the thousands separators"),
    "a date with points": (frame_of(x=["31.12.2024"] * 60), {}, "data.date_format=%d.%m.%Y"),
    "a wrong date": (frame_of(x=["2024-01-01"] * 59 + ["2024-13-01"]), {}, "line 61, column x: "
                     "'2024-13-01' is not a date"),
    "refused text": (frame_of(x=["u", "v"] * 30), {"text": "refuse"}, "'u' is not a number.*"
                     "data.text=one_hot"),
    "an unknown value": (frame_of(x=["S", "XL"] * 30), {"ordinal": {"x": ["S", "M"]}},
                         "'XL' is not in data.ordinal: S, M"),
    "an unknown column": (frame_of(x=range(60)), {"one_hot": ["y"]}, "data.one_hot: y is not a "
                          "feature"),
    "both": (frame_of(x=range(60)), {"one_hot": ["x"], "ordinal": {"x": ["1"]}}, "x is in "
             "data.one_hot and in data.ordinal"),
    "nothing but gaps": (frame_of(x=[None] * 60, y=range(60)), {"missing": "mean"}, "column x: "
                         r"every cell is missing.*exclude=\[x\]"),
    "a gap": (frame_of(x=[None, *range(59)]), {}, "line 2, column x: the cell is empty.*data.miss"
              "ing=mean, median"),
    "a word for a gap": (frame_of(x=["none", *range(59)]), {}, "'none' counts as a missing cell.*"
                         "data.missing_values"),
    "all rows dropped": (frame_of(x=[None, 1] * 30, y=[1, None] * 30), {"missing": "drop"},
                         "every row has a missing cell: x 30, y 30"),
    "a negative weight": (frame_of(x=range(60), w=-1), {"weight": "w"}, "weight -1 is below 0"),
    "no weight": (frame_of(x=range(60), w=0), {"weight": "w"}, "every weight is 0"),
    "an unknown weight": (frame_of(x=range(60)), {"weight": "w"}, "data.weight: .*no column w"),
    "two targets": (frame_of(x=range(60)), {"target": ["kind", "x"]}, "names 2 columns, and a "
                    "classification predicts one.*data.task=multilabel loss=bce"),
    "one label": (frame_of(x=range(60)), {"task": "multilabel"}, "needs a column for each class"),
    "no label": (frame_of(x=range(60), y=range(60)), {"task": "multilabel", "target": ["x", "y"],
                 "features": ["kind"]}, "column x: '2' does not say whether"),
    "no target": (frame_of(x=range(60)), {"target": []}, "names no column to predict"),
    "a target twice": (frame_of(x=range(60)), {"target": ["x", "x"], "task": "regression"},
                       "data.target has x more than once"),
    "an unknown exclude": (frame_of(x=range(60)), {"exclude": ["y"]}, "data.exclude: .*no "
                           "column y"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_table_or_option_is_refused_with_what_to_type(name, tmp_path):
    frame, options, message = WRONG[name]
    with pytest.raises(UserError, match=f"(?s){message}"):
        load(tmp_path, frame, **options)


def test_a_missing_file_of_test_rows_is_named_with_its_option(tmp_path):
    with pytest.raises(UserError, match=r"test.csv does not exist.*\n.*data.test_file=<its name>"):
        load(tmp_path, frame_of(x=range(60)), test_file="test.csv")


def test_a_class_that_only_test_rows_have_is_refused(tmp_path):
    frame_of(x=range(60)).assign(kind="c").to_csv(tmp_path / "test.csv", index=False)
    with pytest.raises(UserError, match="line 2, column kind: c is no class of the"):
        load(tmp_path, frame_of(x=range(60)), test_file="test.csv")
