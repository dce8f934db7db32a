"""A run in Python: its result, its predictions, its display in a notebook."""

import sys
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image

import dlcourse
from dlcourse.api.curves import Curve, plot, series, ticks

LOSSES = ["cross_entropy", "nll", "bce", "hinge", "mse"]


def accuracy(predicted, targets):
    return float((predicted.argmax(1) == targets).double().mean())


@pytest.mark.parametrize("loss", LOSSES)
def test_predicted_probabilities_give_the_test_metrics_of_the_result(from_python, loss):
    run = from_python("model=mlp", f"loss={loss}")
    test = run.dataset.test
    probabilities = run.predict(test.inputs)
    assert probabilities.shape == (len(test), 10)
    assert torch.allclose(probabilities.sum(1), torch.ones(len(test)))
    assert accuracy(probabilities, test.targets) == run.result["test"]["accuracy"]
    assert run.classes == tuple("0123456789")
    if loss == "cross_entropy":
        chosen = probabilities[torch.arange(len(test)), test.targets]
        assert float(-chosen.log().mean()) == pytest.approx(run.result["test"]["loss"], rel=1e-5)


def test_predict_uses_views_and_averaged_weights_as_the_test_does(from_python):
    run = from_python("model=mlp", "view=[mirror,shift]", "average=ema", "optim=sgd")
    test = run.dataset.test
    assert accuracy(run.predict(test.inputs), test.targets) == run.result["test"]["accuracy"]
    plain = run.model(test.inputs).softmax(1)
    assert not torch.allclose(plain, run.predict(test.inputs))


def test_the_model_takes_raw_images_and_standardises_them(from_python):
    run = from_python("model=lenet")
    images = run.dataset.test.inputs
    assert images.dtype == torch.uint8
    assert not run.model.training
    assert isinstance(run.model, torch.nn.Module)
    stored = torch.load(run.folder / "checkpoints/best.pt", weights_only=True)
    by_hand = run.model.network((images - stored["mean"]) * stored["scale"])
    assert torch.equal(run.model(images), by_hand)
    assert torch.allclose(run.model(images).softmax(1), run.predict(images), atol=1e-6)
    floats = images[:2].float().requires_grad_()
    run.model(floats).sum().backward()
    assert floats.grad is not None
    assert floats.grad.abs().sum() > 0


def test_arrays_lists_and_tensors_give_the_same_predictions(from_python):
    run = from_python("data=moons", "model=mlp", "data.examples=null")
    inputs = run.dataset.test.inputs[:4]
    expected = run.predict(inputs)
    assert torch.equal(run.predict(inputs.numpy()), expected)
    assert torch.equal(run.predict(inputs.tolist()), expected)
    assert expected.shape == (4, 2)


def test_a_regression_predicts_its_values(from_python):
    run = from_python("data=diabetes", "model=linear", "optim=sgd", "optim.lr=0.01")
    test = run.dataset.test
    predicted = run.predict(test.inputs)
    assert predicted.shape == test.targets.shape
    rmse = float((predicted - test.targets).double().square().mean().sqrt())
    assert rmse == pytest.approx(run.result["test"]["rmse"], rel=1e-6)
    assert run.classes == ()


def test_folds_are_runs_and_the_whole_run_predicts_with_their_mean(from_python):
    run = from_python("model=mlp", "split=kfold", "split.folds=3")
    assert [fold.name for fold in run.folds] == ["fold0", "fold1", "fold2"]
    with pytest.raises(dlcourse.UserError, match=r"Type run.folds\[0\].model") as caught:
        _ = run.model
    assert "3 models" in str(caught.value)
    test = run.dataset.test
    together = run.predict(test.inputs)
    assert accuracy(together, test.targets) == run.result["ensemble"]["accuracy"]
    singles = [fold.predict(test.inputs) for fold in run.folds]
    assert torch.allclose(together, torch.stack(singles).mean(0), atol=1e-6)
    assert accuracy(singles[1], test.targets) == run.result["folds"][1]["test"]["accuracy"]
    assert [(row["fold"], row["epoch"]) for row in run.history[:3]] == [
        ("fold0", 1), ("fold0", 2), ("fold1", 1),
    ]  # fmt: skip
    assert dlcourse.load(run.folder / "fold1").config == run.config
    html = run._repr_html_()
    assert "mean of 3 folds" in html
    assert html.count("<polyline") == 12


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (torch.zeros(3, 28, 28, dtype=torch.uint8), r"type images\[:, None\]"),
        (torch.zeros(1, 28, 28, dtype=torch.uint8)[0, 0], "shape"),
        (torch.zeros(3, 28, 28, 1, dtype=torch.uint8), r"permute\(0, 3, 1, 2\)"),
        (torch.rand(3, 1, 28, 28), r"Type \(255 \* images\).round\(\).to\(torch.uint8\)"),
        (np.full((3, 1, 28, 28), 200.0), r"Type images.astype\(numpy.uint8\)"),
        (torch.zeros(0, 1, 28, 28, dtype=torch.uint8), "no inputs"),
        (["a.png"], "not an array of numbers"),
        (torch.tensor(3), "shape"),
    ],
)
def test_inputs_of_the_wrong_form_get_a_message_with_what_to_type(one_run, inputs, message):
    with pytest.raises(dlcourse.UserError, match=message):
        one_run.predict(inputs)


@pytest.fixture(scope="module")
def one_run(tmp_path_factory, data_root):
    folder = tmp_path_factory.mktemp("run")
    return dlcourse.train(
        "model=lenet", "optim=sgd", "data.examples=60", f"data.root={data_root}",
        "observe=[history]", "runtime=cpu",
        batch_size=16, max_epochs=2, folder=folder / "run", quiet=True,
    )  # fmt: skip


def test_a_single_example_without_a_batch_axis_gets_a_message(one_run):
    with pytest.raises(dlcourse.UserError, match=r"type inputs\[None\]"):
        one_run.predict(torch.zeros(1, 28, 28, dtype=torch.uint8))


def test_a_loaded_run_has_the_same_result_history_and_predictions(one_run):
    loaded = dlcourse.load(str(one_run.folder))
    images = one_run.dataset.test.inputs[:3]
    assert loaded.result == one_run.result
    assert loaded.history == one_run.history
    assert torch.equal(loaded.predict(images), one_run.predict(images))
    assert repr(loaded).startswith("<dlcourse.Run lenet on digits, sgd: val/accuracy 0.")


def test_without_history_jsonl_the_history_is_read_from_the_checkpoint(one_run, tmp_path):
    import shutil

    copy = shutil.copytree(one_run.folder, tmp_path / "copy")
    (copy / "history.jsonl").unlink()
    assert dlcourse.load(copy).history == one_run.history


def test_a_frame_has_a_row_for_each_epoch(one_run):
    pytest.importorskip("pandas")
    frame = one_run.frame()
    assert list(frame["epoch"]) == [1, 2]
    assert frame["val/loss"].tolist() == [row["val/loss"] for row in one_run.history]


def test_a_frame_without_pandas_says_what_to_install(one_run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(dlcourse.UserError, match="pip install pandas"):
        one_run.frame()


def test_a_folder_without_a_finished_run_gets_a_message(from_python, tmp_path):
    with pytest.raises(dlcourse.UserError, match="is not a run's folder"):
        dlcourse.load("nothing")
    with pytest.raises(dlcourse.DivergedError):
        from_python("data=diabetes", "optim=sgd", "optim.lr=1000", folder="diverged")
    with pytest.raises(dlcourse.UserError, match=r"without a result: Training diverged"):
        dlcourse.load("diverged")
    run = from_python("model=mlp", folder="damaged")
    (Path("damaged") / "checkpoints/best.pt").write_bytes(b"PK")
    with pytest.raises(dlcourse.UserError, match=r"best\.pt"):
        _ = run.model


def test_a_run_shows_its_result_and_its_curves(one_run):
    html = one_run._repr_html_()
    assert f"{one_run.result['test']['accuracy']:.4f}" in html
    page = ElementTree.fromstring(html.replace("<br>", "<br/>").replace("&#9644;", "-"))
    titles = [one.text for one in page.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == ["loss by epoch", "accuracy by epoch"]
    lines = list(page.iter("{http://www.w3.org/2000/svg}polyline"))
    assert [len(line.get("points").split()) for line in lines] == [2, 2, 2, 2]


def test_names_are_escaped_in_html(one_run, monkeypatch):
    monkeypatch.setitem(one_run.result, "data", "<b>&")
    assert "&lt;b&gt;&amp;" in one_run._repr_html_()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.03, 2.3, [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]), (0.97, 0.99, [0.97, 0.975, 0.98, 0.985, 0.99])],
)
def test_ticks_are_round_and_span_the_values(low, high, expected):
    assert ticks(low, high, 5) == expected


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (0, 0), (1e-9, 2e-9), (-3, 1e6)])
def test_ticks_span_any_interval(low, high):
    found = ticks(low, high, 5)
    assert found[0] <= low <= high <= found[-1]
    assert 2 <= len(found) <= 8


def test_a_curve_skips_epochs_without_a_value():
    rows = [{"epoch": 1, "val/loss": None}, {"epoch": 2, "val/loss": 0.5}, {"epoch": 3}]
    assert series(rows, "val/loss") == [(2, 0.5)]
    assert plot("loss", [Curve("val", [])]) == ""
    assert "<circle" in plot("loss", [Curve("val", [(2, 0.5)])])


def test_evaluate_gives_the_metrics_of_the_result_again(from_python):
    run = from_python("model=lenet")
    assert run.evaluate() == run.result["test"]
    folds = from_python("model=linear", "split=kfold", "split.folds=2")
    assert folds.evaluate() == {one["name"]: one["test"] for one in folds.result["folds"]}
    assert folds.folds[1].evaluate() == folds.result["folds"][1]["test"]


def test_a_comparison_is_that_of_the_command_and_a_notebook_shows_its_plots(from_python):
    run, other = from_python("model=linear"), from_python("model=mlp")
    before = torch.get_rng_state()
    found = run.compare(other)
    assert torch.equal(torch.get_rng_state(), before)
    assert repr(found) == repr(run.compare(other.folder))
    assert "McNemar" in repr(found)
    assert found.first.folder == run.folder
    assert found._repr_html_().count("data:image/png;base64,") == 3


def test_plots_show_in_a_notebook_without_pyplot(from_python, tmp_path):
    run = from_python("model=lenet", "observe=[history,plots]")
    for figure in (run.curves(), run.look("filters", layer="features.0"), run.plot("confusion")):
        assert figure._repr_png_().startswith(b"\x89PNG")
        figure.savefig(tmp_path / "figure.pdf")
    several = run.look("filters,maps", layer="features.0", examples=2)
    assert several._repr_html_().count("data:image/png;base64,") == len(several) == 2
    with Image.open(run.folder / "plots/confusion.png") as stored:
        shown = Image.open(BytesIO(run.plot("confusion")._repr_png_()))
        assert shown.size == stored.size
        difference = np.asarray(shown.convert("RGB"), int) - np.asarray(stored.convert("RGB"), int)
        assert not difference.any()


def test_a_wrong_plot_layer_or_option_gets_the_message_of_the_command(from_python):
    run = from_python("model=mlp", "observe=[history,plots]")
    with pytest.raises(dlcourse.UserError, match="did you mean confusion"):
        run.plot("confussion")
    with pytest.raises(dlcourse.UserError, match="what=filter is not there"):
        run.look("filter")
    with pytest.raises(dlcourse.UserError, match="speed=3 is no option"):
        run.look("filters", speed=3)
    without = from_python("model=linear")
    with pytest.raises(dlcourse.UserError, match="holds no plots"):
        without.plot("confusion")


def test_the_curves_of_a_cross_validation_are_those_of_all_folds(from_python):
    folds = from_python("model=linear", "split=kfold", "split.folds=2")
    assert "over 2 folds" in folds.curves().get_suptitle()
