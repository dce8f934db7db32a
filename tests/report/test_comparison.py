"""`dlcourse compare`: two finished runs side by side."""

import json
import re
import shutil
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

import dlcourse
from dlcourse.commands import compare
from dlcourse.errors import UserError
from dlcourse.report.comparison.compare import PAGE, compare_runs, write_comparison
from dlcourse.report.comparison.paired_tests import McNemar

RUNS = {
    "mlp": ["model=mlp"],
    "linear": ["model=linear", "max_epochs=2"],
    "lenet": ["model=lenet", "max_epochs=1"],
    "folds": ["model=linear", "split=kfold", "split.folds=2", "max_epochs=1"],
    "moons": ["data=moons", "model=linear"],
    "noisy": ["data=moons", "data.noise=0.4", "model=linear"],
    "values": ["data=diabetes", "model=linear"],
    "others": ["data=diabetes", "model=mlp"],
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory, data_root):
    """Return a folder with a finished run for each name in RUNS."""
    folder = tmp_path_factory.mktemp("runs")
    small = [
        f"data.root={data_root}", "data.examples=200", "max_epochs=4", "optim.lr=0.01",
        "runtime=cpu", "observe=[history]",
    ]  # fmt: skip
    for name, overrides in RUNS.items():
        dlcourse.train(*small, *overrides, folder=folder / name, quiet=True)
    return folder


@pytest.fixture
def pair(runs):
    """Return the comparison of a linear model with an MLP."""
    return compare_runs(runs / "linear", runs / "mlp")


def test_both_models_predict_the_same_test_examples_as_in_their_results(pair, runs):
    same, test = pair.same, pair.test
    right = {}
    for letter, name in (("a", "linear"), ("b", "mlp")):
        run = dlcourse.load(runs / name)
        examples = run.dataset.test
        torch.testing.assert_close(
            getattr(same, letter).float(), run.predict(examples.inputs), rtol=1e-4, atol=1e-6
        )
        right[letter] = run.predict(examples.inputs).argmax(1) == examples.targets
        accuracy = run.result["test"]["accuracy"]
        assert accuracy == right[letter].float().mean().item() or accuracy == pytest.approx(
            right[letter].double().mean().item()
        )
    assert isinstance(test, McNemar)
    assert test.only_b == int((right["b"] & ~right["a"]).sum())
    assert test.only_a == int((right["a"] & ~right["b"]).sum())


def test_recall_by_class_is_that_of_the_results_and_the_largest_gain_is_first(pair, runs):
    recalls = [
        json.loads((runs / name / "result.json").read_text())["per_class"]["recall"]
        for name in ("linear", "mlp")
    ]
    for row in pair.same.by_class:
        assert [row.a, row.b] == pytest.approx([one[int(row.name)] for one in recalls])
    gains = [row.b - row.a for row in pair.same.by_class]
    assert gains == sorted(gains, reverse=True)
    assert sum(row.examples for row in pair.same.by_class) == pair.test.n


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_text_fits_the_terminal_and_choices_come_first(pair, width):
    text = pair.text(width)
    assert max(map(len, text.splitlines()[3:])) <= width
    table = text[text.index("option") : text.index("Only B")]
    assert table.index("model") < table.index("max_epochs")
    assert re.search(r"model +linear +mlp", table)
    assert re.search(r"max_epochs +2 +4", table)
    assert "model.widths=[128]" in text[text.index("Only B") :]
    assert "optim.lr" not in text
    assert "A right" in text
    assert "McNemar" in text


def test_a_network_of_another_image_size_is_tested_on_the_same_examples(runs):
    found = compare_runs(runs / "lenet", runs / "mlp")
    assert isinstance(found.test, McNemar)


def test_a_cross_validation_predicts_as_the_ensemble_of_its_result(runs):
    found = compare_runs(runs / "folds", runs / "mlp")
    test = found.test
    assert isinstance(test, McNemar)
    ensemble = json.loads((runs / "folds/result.json").read_text())["ensemble"]
    assert (test.both + test.only_a) / test.n == pytest.approx(ensemble["accuracy"])
    assert "ensemble/accuracy" not in found.text()  # only one of both has it
    assert "2 folds" in found.text()


def test_regressions_are_compared_by_their_absolute_errors(runs, tmp_path):
    found = compare_runs(runs / "values", runs / "others")
    run = dlcourse.load(runs / "values")
    errors = (run.predict(run.dataset.test.inputs) - run.dataset.test.targets).abs().mean(1)
    assert found.test.mean_a == pytest.approx(errors.mean().item(), rel=1e-5)
    assert "Wilcoxon" in found.text()
    names = {path.name for path in write_comparison(found, tmp_path)}
    assert names == {"curves.png", "curves.svg", "errors.png", "errors.svg", PAGE}


def test_different_test_examples_are_left_out_with_the_reason(runs):
    found = compare_runs(runs / "moons", runs / "noisy")
    assert found.same is None
    assert "No test on the same examples: the test examples of A and B are others" in found.text()
    assert "data.noise" in found.text()


def test_a_copy_of_a_run_is_recognised(runs, tmp_path):
    shutil.copytree(runs / "mlp", tmp_path / "copy")
    text = compare_runs(runs / "mlp", tmp_path / "copy").text()
    assert "A and B have the same options." in text
    assert "A and B give the same outputs for every test example." in text


def test_the_page_needs_no_other_file_and_shows_every_plot(pair, tmp_path):
    write_comparison(pair, tmp_path)
    page = (tmp_path / PAGE).read_text()
    assert len(page) < 1_000_000
    assert page.count('src="data:image/png;base64,') == 3
    assert not re.search(r'(src|href)="(?!data:)', page)
    for name in ("curves", "agreement", "disagreements"):
        with Image.open(BytesIO((tmp_path / f"{name}.png").read_bytes())) as image:
            assert np.asarray(image.convert("L")).std() > 5
        assert (tmp_path / f"{name}.svg").read_text().startswith("<?xml")


def test_the_images_with_the_largest_differences_come_first(pair):
    positions = pair.same.disagreements(25)
    own = pair.same.targets[positions]
    a, b = (some[positions] for some in (pair.same.a, pair.same.b))
    assert bool((a.argmax(1) != b.argmax(1)).all())
    gaps = [abs(float(x[t] - y[t])) for x, y, t in zip(a, b, own, strict=True)]
    assert gaps == sorted(gaps, reverse=True)
    assert len(positions) == min(25, int((pair.same.a.argmax(1) != pair.same.b.argmax(1)).sum()))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ([], "0 folders are given"),
        (["mlp"], "1 folder is given"),
        (["mlp", "lenet", "linear"], "3 folders are given"),
        (["mlp", "mlp/../mlp"], "the same run"),
        (["mlp", "values"], "mlp classifies and values predicts values"),
        (["mlp", "moons"], "have different classes: only A has 0, 1, 2"),
        (["mlp", "absent"], "There is no folder absent"),
        (["mlp", "mlp/checkpoints"], "is not a run's folder"),
        (["mlp", "unfinished"], "holds no finished run"),
        (["mlp", "sweep"], "holds a sweep"),
        (["mlp", "linear", "speed=3"], "speed=3 is not understood"),
    ],
)
def test_runs_that_cannot_be_compared_get_one_message(typed, message, runs, monkeypatch):
    monkeypatch.chdir(runs)
    if typed[1:] == ["unfinished"]:
        shutil.copytree("mlp", "unfinished", dirs_exist_ok=True)
        (runs / "unfinished/result.json").unlink()
    (runs / "sweep").mkdir(exist_ok=True)
    (runs / "sweep/sweep.json").write_text("{}")
    with pytest.raises(UserError, match=re.escape(message)):
        compare.main(typed)


def test_the_command_writes_into_a_new_folder(runs, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "both").mkdir()
    compare.main([str(runs / "moons"), str(runs / "noisy"), "folder=both"])
    assert "comparison.html are in both-2" in capsys.readouterr().out
    assert (tmp_path / "both-2" / PAGE).exists()
