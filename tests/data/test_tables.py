"""A user's own table: cells are read exactly, and errors name their place."""

import csv

import pytest
import torch
import yaml
from conftest import CONFIGS
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcourse.data.cells import is_number
from dlcourse.data.csv import csv as load_table
from dlcourse.data.table import SEPARATORS, read_table
from dlcourse.engine.datasets import load_data
from dlcourse.errors import UserError

PEOPLE = """age,height,city,smokes
31,1.70,Ulm,no
25,1.82,Bern,yes
47,1.65,Ulm,no
52,1.78,Wien,yes
38,1.91,Bern,no
29,1.60,Ulm,yes
"""
DEFAULTS = {
    key: value
    for key, value in yaml.safe_load((CONFIGS / "data/csv.yaml").read_text())["data"].items()
    if not key.startswith("_")
}
ROWS = sorted((float(a), float(h)) for a, h, *_ in csv.reader(PEOPLE.splitlines()[1:]))


def load(folder, text=PEOPLE, **options):
    """Return the data set of a table with this text."""
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "people.csv").write_bytes(content)
    own = {
        "file": "people.csv",
        "target": "smokes",
        "features": ["age", "height"],
        "test_fraction": 0.34,
    }
    return load_table(root=folder, seed=0, **{**DEFAULTS, **own, **options})


def rows(dataset):
    return sorted(map(tuple, torch.cat([dataset.train.inputs, dataset.test.inputs]).tolist()))


def test_a_table_is_read_as_a_data_set(tmp_path):
    dataset = load(tmp_path)
    assert dataset.name == "people"
    assert dataset.classes == ("no", "yes")
    assert (len(dataset.train), len(dataset.test)) == (4, 2)
    assert rows(dataset) == [tuple(pytest.approx(number) for number in row) for row in ROWS]
    for part in (dataset.train, dataset.test):
        for (age, _), target in zip(part.inputs.tolist(), part.targets, strict=True):
            assert (target == 1) == (age in (25, 52, 29))


def test_the_test_part_is_the_same_in_every_run_and_has_every_class(tmp_path):
    parts = [load(tmp_path).test for _ in range(2)]
    assert torch.equal(parts[0].inputs, parts[1].inputs)
    assert sorted(parts[0].targets.tolist()) == [0, 1]


def test_all_other_columns_are_the_features(tmp_path):
    dataset = load(tmp_path, PEOPLE.replace("Ulm", "1").replace("Bern", "2").replace("Wien", "3"),
                   features=None)  # fmt: skip
    assert dataset.input_shape == (3,)


def test_features_are_in_the_order_in_which_they_are_typed(tmp_path):
    turned = load(tmp_path, features=["height", "age"])
    assert torch.equal(turned.train.inputs.flip(1), load(tmp_path).train.inputs)


def test_a_regression_has_the_values_of_its_column(tmp_path):
    dataset = load(tmp_path, target="height", features=["age"], task="regression")
    assert (dataset.task, dataset.output_size) == ("regression", 1)
    pairs = [
        (age, height)
        for part in (dataset.train, dataset.test)
        for (age,), (height,) in zip(part.inputs.tolist(), part.targets.tolist(), strict=True)
    ]
    assert sorted(pairs) == [tuple(pytest.approx(number) for number in row) for row in ROWS]


def test_classes_that_are_numbers_are_in_numeric_order(tmp_path):
    text = "x,label\n1,10\n2,9\n3,2\n4,10\n5,9\n6,2.0\n"
    dataset = load(tmp_path, text, features=None, target="label")
    assert dataset.classes == ("2", "9", "10")  # 2 and 2.0 are one class


def test_a_constant_column_is_allowed(tmp_path):
    text = "one,x,label\n" + "".join(f"1,{n},{'ab'[n % 2]}\n" for n in range(6))
    assert (
        load(tmp_path, text, features=None, target="label").train.inputs[:, 0].tolist() == [1] * 4
    )


@pytest.mark.parametrize("separator", SEPARATORS)
def test_every_separator_is_read(separator, tmp_path):
    text = PEOPLE.replace(",", SEPARATORS[separator])
    assert rows(load(tmp_path, text, separator=separator)) == rows(load(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + PEOPLE,
        PEOPLE.replace("\n", "\r\n"),
        PEOPLE.replace(",", " , "),
        PEOPLE.replace("Bern", '"Be""rn,\nCH"'),
        PEOPLE.replace("\n", "\n\n"),
        PEOPLE.rstrip("\n"),
        PEOPLE + "  \n",
    ],
    ids=["mark", "windows", "spaces", "quotes", "empty lines", "no last newline", "blank line"],
)
def test_tables_as_different_programs_write_them_are_read_the_same(text, tmp_path):
    assert rows(load(tmp_path, text)) == rows(load(tmp_path))


WRONG = {
    "an empty file": ("", {}, "people.csv has no rows"),
    "no rows": ("age,height,smokes\n", {}, "people.csv has no rows"),
    "unknown target": (PEOPLE, {"target": "smoks"}, "data.target: .* has no column smoks; "
                       "did you mean smokes.*Type data.target"),
    "unknown feature": (PEOPLE, {"features": ["ages"]}, "data.features: .*no column ages; did you "
                        "mean age.*Type data.features"),
    "text for a number": (PEOPLE.replace("25", "abc"), {}, "line 3, column age: 'abc' is not a "
                          "number"),
    "comma for a point": (PEOPLE.replace("1.65", '"1,65"'), {}, "line 4, column height: '1,65' is"),
    "not finite": (PEOPLE.replace("1.65", "nan"), {}, "line 4, column height: 'nan' counts as a "
                   "missing cell"),
    "too large": (PEOPLE.replace("1.65", "1e39"), {}, "line 4, column height: '1e39' is not"),
    "text to regress": (PEOPLE, {"target": "city", "task": "regression"}, "line 2, column city: "
                        "'Ulm' is not a number.*data.target"),
    "empty cell": (PEOPLE.replace("1.65", " "), {}, "line 4, column height: the cell is empty"),
    "empty class": (PEOPLE.replace("1.65,Ulm,no", "1.65,Ulm,"), {}, "line 4, column smokes: the "
                    "cell is empty"),
    "too few cells": (PEOPLE.replace("1.65,Ulm", "1.65"), {}, "line 4: the row has 3 cells and the "
                      "header 4"),
    "too many cells": (PEOPLE.replace("1.65", "1,65"), {}, "line 4: the row has 5 cells and the"),
    "a line after two in quotes": (PEOPLE.replace("Bern", '"B\nn"').replace("47", "?"), {},
                                   "line 5, column age: '\\?'"),
    "a line after an empty one": (PEOPLE.replace("\n47", "\n\n?"), {}, "line 5, column age"),
    "same names": (PEOPLE.replace("height", "age"), {}, "line 1: columns 1 and 2 are both called "
                   "age"),
    "a header below an empty line": ("\n" + PEOPLE.replace("height", "age"), {}, "line 2: columns"),
    "no name": (PEOPLE.replace("city", ""), {}, "line 1: column 3 has no name"),
    "another separator": (PEOPLE.replace(",", ";"), {}, "one column only.*Type "
                          "data.separator=semicolon"),
    "one class": (PEOPLE.replace("yes", "no"), {}, "column smokes: every cell is no"),
    "no classes": (PEOPLE, {"target": "age", "features": ["height"]}, "column age: all 6 cells are "
                   "different.*Type data.task=regression"),
    "target as feature": (PEOPLE, {"features": ["age", "smokes"]}, "data.features has smokes"),
    "a feature twice": (PEOPLE, {"features": ["age", "age"]}, "data.features has age more than"),
    "no feature": (PEOPLE, {"features": []}, "no column to predict smokes from"),
    "nothing but the target": ("a\n1\n2\n", {"target": "a", "features": None}, "no column to"),
    "nothing to test on": (PEOPLE, {"test_fraction": 0.05}, "data.test_fraction=0.05 of 6 rows "
                           "leaves 0 to test on"),
    "nothing to train on": (PEOPLE, {"test_fraction": 0.95}, "leaves 6 to test on"),
    "unknown group": (PEOPLE, {"group": "town"}, "data.group: .*has no column town.*Type data.gr"),
    "the target as group": (PEOPLE, {"group": "smokes"}, "smokes is also the column to predict"),
    "too few groups": (PEOPLE.replace("Wien", "Ulm"), {"group": "city"}, "column city: the rows be"
                       "long to 2 groups"),
    "one group": (PEOPLE.replace("Wien", "Ulm").replace("Bern", "Ulm"), {"group": "city"},
                  "column city: the rows belong to 1 group"),
    "no group": (PEOPLE.replace("Wien", ""), {"group": "city"}, "line 5, column city: the cell is "
                 "empty"),
    "nothing but target and group": ("a,b\n1,1\n2,2\n1,3\n", {"target": "a", "features": None,
                                     "group": "b"}, "no column to predict a from"),
    "an open quote": (PEOPLE + '33,1.7,"Ulm,no\n34,1.8,Ulm,no\n', {}, "line 8: unexpected end of"),
    "text behind a quote": (PEOPLE.replace("Wien", '"W"ien'), {}, "line 5: "),
    "another encoding": (PEOPLE.replace("Ulm", "Köln").encode("latin-1"), {}, "is not UTF-8"),
    "another file": (PEOPLE, {"file": "peple.csv"}, "peple.csv does not exist; did you mean "
                     "people.csv.*Type data.root=<its folder> data.file=<its name>"),
    "a folder": (PEOPLE, {"file": "."}, "does not exist"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "options", "message"), WRONG.values(), ids=WRONG)
def test_an_error_in_a_table_names_its_line_and_column(text, options, message, tmp_path):
    with pytest.raises(UserError, match=f"(?s){message}") as caught:
        load(tmp_path, text, **options)
    assert "\n" in str(caught.value)  # the remedy is on its own line


def test_an_unused_column_may_have_any_content(tmp_path):
    assert rows(load(tmp_path, PEOPLE.replace("Wien", ""))) == rows(load(tmp_path))


def test_a_table_is_chosen_from_the_command_line(tmp_path, compose):
    load(tmp_path)
    overrides = ("data.file=people.csv", "data.target=smokes", "data.features=[age,height]")
    cfg = compose("data=csv", *overrides, "data.test_fraction=0.34", f"data.root={tmp_path}")
    assert rows(load_data(cfg)) == rows(load(tmp_path))


@pytest.mark.parametrize("cell", ["3", "-0.5", "+1e6", ".5", "1E-300", "0"])
def test_a_cell_with_a_number_is_read_as_a_number(cell):
    assert is_number(cell)


@pytest.mark.parametrize("cell", ["", "x", "1,5", "1_000", "inf", "-inf", "nan", "1e400", "0x10"])
def test_other_text_is_not_a_number(cell):
    assert not is_number(cell)


cells = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    lambda cell: cell == cell.strip() and "\ufeff" not in cell
)


@settings(max_examples=60)
@given(st.data(), st.sampled_from(sorted(SEPARATORS)), st.integers(2, 5), st.integers(1, 6))
def test_a_table_of_pythons_csv_is_read_unchanged(tmp_path_factory, data, separator, wide, long):
    header = data.draw(st.lists(cells, min_size=wide, max_size=wide, unique=True))
    table = [data.draw(st.lists(cells, min_size=wide, max_size=wide)) for _ in range(long)]
    path = tmp_path_factory.mktemp("tables") / "table.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=SEPARATORS[separator]).writerows([header, *table])
    read = read_table(path, separator)
    assert (read.header, read.rows) == (header, table)
    assert len(read.lines) == long


GROUPED = "x,kind,patient\n" + "".join(f"{n},{'ab'[n % 2]},p{n // 3}\n" for n in range(30))


def test_rows_of_a_group_are_in_the_same_part_and_their_column_is_no_feature(tmp_path):
    dataset = load(
        tmp_path, GROUPED, target="kind", features=None, group="patient", test_fraction=0.2
    )
    assert dataset.input_shape == (1,)
    patients = (dataset.train.inputs[:, 0] // 3).long()
    tested = set((dataset.test.inputs[:, 0] // 3).long().tolist())
    assert len(tested) == 2
    assert not tested & set(patients.tolist())
    assert torch.equal(dataset.groups, patients)  # p0, p1, ... in the order of their names


def test_with_fewer_examples_each_keeps_its_group(tmp_path, compose):
    load(tmp_path, GROUPED, target="kind", features=None, group="patient")
    overrides = (
        "data.file=people.csv",
        "data.target=kind",
        "data.group=patient",
        "data.examples=9",
    )
    dataset = load_data(compose("data=csv", *overrides, f"data.root={tmp_path}"))
    assert len(dataset.groups) == len(dataset.train) == 9
    assert torch.equal(dataset.groups, (dataset.train.inputs[:, 0] // 3).long())


def test_without_a_group_column_there_are_no_groups(tmp_path):
    assert load(tmp_path).groups is None
