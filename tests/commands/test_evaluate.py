"""dlcourse evaluate: the parts of a run's own data, other data, and the table of predictions."""

import csv

import numpy as np
import pytest
import torch
from conftest import composed
from PIL import Image
from sklearn.metrics import accuracy_score

import dlcourse
from dlcourse.commands.evaluate import main
from dlcourse.core import Dataset, Split
from dlcourse.engine import predictions
from dlcourse.engine.datasets import load_data, split_training_data
from dlcourse.engine.other_data import translated, with_examples_of
from dlcourse.engine.prediction_table import prediction_cells, prediction_header, target_cells
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.runs import run_folder


@pytest.fixture(scope="module")
def trained(data_root, tmp_path_factory):
    """Return the config and the folder of a run that has learned to classify some digits."""
    folder = tmp_path_factory.mktemp("evaluate") / "run"
    small = ["data.examples=200", "max_epochs=6", "batch_size=16", "observe=[history]"]
    cfg = composed(f"data.root={data_root}", "model=mlp", "optim.lr=0.01", "runtime=cpu", *small)
    run(cfg, folder)
    return cfg, folder


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def by_hand(cfg, folder, part):
    """Return positions, targets and probabilities of a part, computed with the opened model."""
    dataset = load_data(cfg)
    (division,) = split_training_data(cfg, dataset)
    position = {"val": division.val, "train": division.train}[part]
    examples = dataset.train.subset(position)
    with torch.no_grad():
        outputs = dlcourse.load(folder).model(examples.inputs)
    return position, examples.targets, outputs.double().softmax(1)


@pytest.mark.parametrize("part", ["val", "train"])
def test_a_part_of_the_runs_own_data_is_evaluated_and_written_as_a_table(
    part, trained, tmp_path, capsys
):
    cfg, folder = trained
    main([f"run={folder}", f"part={part}", f"csv={tmp_path / 'out.csv'}"])
    printed = capsys.readouterr().out.splitlines()
    result = run_folder.read_result(folder)
    position, targets, shares = by_hand(cfg, folder, part)
    if part == "val":
        assert printed[:-1] == [f"val/{name} {value}" for name, value in result["val"].items()]
    assert printed[1] == f"{part}/accuracy {accuracy_score(targets, shares.argmax(1))}"
    rows = table(tmp_path / "out.csv")
    assert [int(row["id"]) for row in rows] == position.tolist()
    assert [int(row["target"]) for row in rows] == targets.tolist()
    assert [int(row["class"]) for row in rows] == shares.argmax(1).tolist()
    written = np.array([[float(row[name]) for name in "0123456789"] for row in rows])
    np.testing.assert_allclose(written, shares, atol=2e-6)
    np.testing.assert_array_equal([float(row["probability"]) for row in rows], written.max(1))


def test_the_validation_table_of_folds_is_that_of_out_of_fold(tiny, tmp_path):
    run(tiny("model=mlp", "split=kfold", "split.folds=2"), tmp_path / "run")
    main([f"run={tmp_path / 'run'}", "part=val", f"csv={tmp_path / 'val.csv'}"])
    stored = np.load(tmp_path / "run/out_of_fold.npz")
    rows = table(tmp_path / "val.csv")
    assert [int(row["id"]) for row in rows] == stored["position"].tolist()
    assert [row["fold"] for row in rows] == [f"fold{number}" for number in stored["fold"]]
    best = stored["outputs"].argmax(1).tolist()
    assert [int(row["class"]) for row in rows] == best
    main([f"run={tmp_path / 'run'}", f"csv={tmp_path / 'test.csv'}"])
    assert len(table(tmp_path / "test.csv")) == 360  # the folds predict together


def image_folder(root, images, targets, names):
    """Write images into one folder per class: ``names[target]``."""
    for number, (image, target) in enumerate(zip(images, targets, strict=True)):
        folder = root / "mine" / names[int(target)]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(folder / f"{number:03}.png")


def test_other_data_are_evaluated_by_the_names_of_their_classes(trained, tmp_path, capsys):
    cfg, folder = trained
    test = load_data(cfg).test
    chosen = ((test.targets == 3) | (test.targets == 7)).nonzero().squeeze(1)
    image_folder(tmp_path, test.inputs[chosen], test.targets[chosen], "0123456789")
    data = ["data=image_folder", f"data.root={tmp_path}", "data.folder=mine", "data.size=28",
            "data.channels=1"]  # fmt: skip
    main([f"run={folder}", *data, "part=all", f"csv={tmp_path / 'out.csv'}"])
    rows = table(tmp_path / "out.csv")
    assert sorted(row["id"] for row in rows)[0].startswith("3/")
    assert {(row["id"][0], row["target"]) for row in rows} == {("3", "3"), ("7", "7")}
    with torch.no_grad():
        outputs = dlcourse.load(folder).model(test.inputs[chosen])
    accuracy = accuracy_score(test.targets[chosen], outputs.argmax(1))
    assert accuracy > 0.5  # a wrong order of the classes would give about 0.1
    assert f"all/accuracy {accuracy}" in capsys.readouterr().out
    again = dlcourse.load(folder).evaluate(
        part="all", data="image_folder",
        **{"data.root": str(tmp_path), "data.folder": "mine", "data.size": 28, "data.channels": 1},
    )  # fmt: skip
    assert again["accuracy"] == accuracy

    image_folder(tmp_path, test.inputs[:2], [0, 1], ["eight", "nine"])
    with pytest.raises(UserError, match="does not know the class eight, nine"):
        main([f"run={folder}", *data])


def test_a_table_that_the_run_was_trained_on_is_refused(tiny, tmp_path):
    rows = torch.randn(60, 2, generator=torch.Generator().manual_seed(0)).tolist()
    lines = [f"{a:.4f},{b:.4f},{'yes' if a + b > 0 else 'no'}" for a, b in rows]
    (tmp_path / "old.csv").write_text("\n".join(["a,b,target", *lines]))
    (tmp_path / "new.csv").write_text("\n".join(["a,b,target", *lines[:30]]))
    cfg = tiny("data=csv", f"data.root={tmp_path}", "data.file=old.csv", "data.examples=null")
    run(cfg, tmp_path / "run")
    with pytest.raises(UserError, match="it was trained on"):
        main([f"run={tmp_path / 'run'}", "data.file=new.csv", "part=all"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["part=vla"], "did you mean val"),
        (["part=all"], "part=all is for other data"),
        (["data=digits", "part=val"], "Only a run's own data have a validation part"),
        (["data.siez=28"], "did you mean data.size"),
        (["data.size=28x"], "data.size=28x is not allowed"),
        (["data=digitz"], "did you mean digits"),
        (["data=moons"], "cannot be tested on these data"),
    ],
)
def test_wrong_parts_and_data_are_named(arguments, message, trained):
    with pytest.raises(UserError, match=message):
        main([f"run={trained[1]}", *arguments])


def test_a_changed_validation_part_is_refused(tiny, tmp_path):
    lines = [f"{number},{number % 7},{'yes' if number % 2 else 'no'}" for number in range(60)]
    (tmp_path / "table.csv").write_text("\n".join(["a,b,target", *lines]))
    cfg = tiny("data=csv", f"data.root={tmp_path}", "data.examples=null")
    run(cfg, tmp_path / "run")
    main([f"run={tmp_path / 'run'}", "part=val"])  # the control
    (tmp_path / "table.csv").write_text("\n".join(["a,b,target", *lines[1:]]))
    with pytest.raises(UserError, match="the data have changed since it was trained"):
        main([f"run={tmp_path / 'run'}", "part=val"])


def test_a_run_without_folds_stores_its_predictions(trained):
    cfg, folder = trained
    opened = dlcourse.load(folder)
    position, targets, shares = by_hand(cfg, folder, "val")
    val = opened.predictions("val")
    assert val["id"].tolist() == position.tolist()
    assert val["target"].tolist() == targets.tolist()
    np.testing.assert_allclose(val["predicted"], shares, atol=1e-6)
    test = opened.predictions()
    accuracy = (test["predicted"].argmax(1) == test["target"]).mean()
    assert accuracy == opened.result["test"]["accuracy"]
    with pytest.raises(UserError, match="part='test' or part='val'"):
        opened.predictions("train")


def test_very_many_outputs_are_stored_for_folds_alone(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(predictions, "MOST_STORED", 371 * 10)  # 360 test, 12 validation examples
    run(tiny("model=mlp"), tmp_path / "run")
    assert not predictions.has_predictions(tmp_path / "run")
    with pytest.raises(UserError, match="dlcourse evaluate"):
        dlcourse.load(tmp_path / "run").predictions()
    monkeypatch.setattr(predictions, "MOST_STORED", 372 * 10)
    run(tiny("model=mlp"), tmp_path / "again")
    assert predictions.has_predictions(tmp_path / "again")


def test_tables_of_labels_and_of_values_have_their_own_columns():
    shares = torch.tensor([[0.6, 0.5, 0.1], [0.2, 0.4, 0.3]])
    assert prediction_header("multilabel", "abc", ()) == ["classes", "a", "b", "c"]
    assert prediction_cells(shares, "multilabel", "abc") == [
        ["a|b", "0.600000", "0.500000", "0.100000"], ["", "0.200000", "0.400000", "0.300000"],
    ]  # fmt: skip
    assert target_cells(torch.tensor([[1.0, 0, 1]]), "multilabel", "abc") == [["a|c"]]
    assert prediction_cells(torch.tensor([[1.5, 2e10]]), "regression", ()) == [["1.5", "2e+10"]]
    assert target_cells(torch.tensor([[0.1]]), "regression", ()) == [["0.100000001"]]


def test_targets_are_translated_to_the_order_of_the_run():
    order = ["dog", "owl", "cat"]
    part = Split(torch.rand(2, 3), torch.tensor([0, 1]), ids=np.array(["x", "y"], dtype=object))
    dataset = Dataset("d", part, part, ("cat", "dog"))
    made = with_examples_of(dataset, "all", order)
    assert made.test.targets.tolist() == [2, 0, 2, 0]
    assert made.test.ids.tolist() == ["x", "y", "x", "y"]
    assert made.classes == tuple(order)
    labels = torch.tensor([[1.0, 0], [1, 1]])
    assert translated(labels, dataset, order).tolist() == [[0.0, 0, 1], [1, 0, 1]]
