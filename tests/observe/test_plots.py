"""Plots of finished runs: which there are, what they show, and that none can harm a run."""

import csv
import errno
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import composed
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dlcourse import atomic_files
from dlcourse.core import Dataset, FinalTest, Fold, Observer, Record, Split, Standardize, State
from dlcourse.engine.run import run
from dlcourse.errors import DivergedError
from dlcourse.observe.example_plots import Finished, examples_at
from dlcourse.observe.plots import Plots, write_run_plots
from dlcourse.observe.run_plots import plots_of_run

CLASSIFIER = {"curves", "confusion", "per_class", "calibration", "mistakes"}


def drawn(folder):
    """Return the names of the plots in a run's folder; each is there as PNG and as SVG."""
    names = {path.stem for path in (folder / "plots").glob("*.png")}
    assert names == {path.stem for path in (folder / "plots").glob("*.svg")}
    return names


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the folder of a finished run of two features, with an animation and TensorBoard."""
    folder = tmp_path_factory.mktemp("plots")
    overrides = ["data=moons", "data.train_examples=60", "data.test_examples=40", "max_epochs=3"]
    more = ["observe=[plots,tensorboard]", "observe.plots.animation=true", "runtime=cpu"]
    run(composed(*overrides, *more), folder)
    return folder


def test_a_run_leaves_its_plots_and_its_animation(finished):
    assert drawn(finished) == CLASSIFIER | {"boundary"}
    assert (finished / "plots/boundary.gif").stat().st_size > 1000
    assert len(list((finished / "plots/frames").iterdir())) == 4  # before the first epoch too


def test_tensorboard_shows_the_files_of_the_plots_unchanged(finished):
    reader = EventAccumulator(str(finished), size_guidance={"images": 0})
    reader.Reload()
    shown = {tag.removeprefix("test/"): reader.Images(tag) for tag in reader.Tags()["images"]}
    assert set(shown) == drawn(finished)
    for name, (image,) in shown.items():
        assert image.encoded_image_string == (finished / f"plots/{name}.png").read_bytes()


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        (["data=digits", "data.examples=60", "model=linear"], CLASSIFIER | {"templates"}),
        (["data=sine", "data.train_examples=20"], {"curves", "mistakes", "fit"}),
        (["data=linear", "model=linear"], {"curves", "mistakes", "weights"}),
        (["data=gates", "model=perceptron", "metric=[accuracy,average_precision]"],
         CLASSIFIER | {"boundary", "weights", "precision_recall"}),
    ],
)  # fmt: skip
def test_the_plots_follow_from_the_data_the_model_and_the_metrics(
    overrides, names, compose, tmp_path, empty_files
):
    run(compose(*overrides, "max_epochs=1", "observe=[plots]", "runtime=cpu"), tmp_path / "run")
    assert drawn(tmp_path / "run") == names


def test_training_with_an_animation_is_the_same_to_the_last_bit(compose, tmp_path, no_files):
    small = ["data=moons", "data.train_examples=60", "max_epochs=3", "model.dropout=0.5"]
    small += ["model.norm=batch", "runtime=cpu"]
    for name, observe in (("with", "[plots]"), ("without", "[]")):
        more = ["observe.plots.animation=true"] if name == "with" else []
        run(compose(*small, f"observe={observe}", *more), tmp_path / name)
    one, other = (
        atomic_files.load_checked(tmp_path / name / "checkpoints/last.pt")["model"]
        for name in ("with", "without")
    )
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.fixture
def empty_files(monkeypatch):
    """Write empty files in place of images: the figures are made, and not rendered."""

    def touch(figure, path):
        path.parent.mkdir(exist_ok=True)
        for kind in ("png", "svg"):
            path.with_name(f"{path.name}.{kind}").touch()

    monkeypatch.setattr("dlcourse.drawing.files.save_figure", touch)


@pytest.fixture
def no_files(monkeypatch):
    """Let the observer record, and write no plot at the end, which takes a second."""
    monkeypatch.setattr("dlcourse.observe.plots.write_run_plots", lambda *_: None)
    monkeypatch.setattr("dlcourse.drawing.files.save_gif", lambda *_: None)


class Stop(Observer):
    """Stops a run after its second epoch, before anything later is written."""

    def epoch(self, state):
        if len(state.history) == 2:
            raise KeyboardInterrupt


def test_a_resumed_run_has_the_frames_of_an_uninterrupted_one(compose, tmp_path, no_files):
    small = ["data=sine", "data.train_examples=20", "max_epochs=4", "observe=[plots]"]
    cfg = compose(*small, "observe.plots.animation=true", "runtime=cpu")
    run(cfg, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(cfg, tmp_path / "stopped", observers=[Stop()])
    assert (tmp_path / "stopped/plots/frames/000002.npz").exists()
    run(cfg, tmp_path / "stopped")
    frames = [sorted((tmp_path / n / "plots/frames").iterdir()) for n in ("whole", "stopped")]
    assert [p.name for p in frames[0]] == [p.name for p in frames[1]]
    for one, other in zip(*frames, strict=True):
        first, second = map(atomic_files.load_arrays, (one, other))
        assert all(np.array_equal(first[key], second[key]) for key in first)


def no_space(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def no_font(*_):
    raise RuntimeError("no fonts on this machine")


TROUBLE = {
    "a full disk": ("dlcourse.drawing.files.atomic_files.write", no_space),
    "no fonts": ("matplotlib.font_manager.FontManager.findfont", no_font),
    "no matplotlib": ("dlcourse.drawing.curves.draw_run_curves", no_font),
    "wrong outputs": ("dlcourse.observe.run_plots.confusion_report", no_font),
}


@pytest.mark.parametrize("trouble", TROUBLE)
def test_a_plot_that_fails_costs_a_warning_and_neither_status_nor_result(
    trouble, compose, tmp_path, monkeypatch, caplog
):
    small = ["data=moons", "data.train_examples=40", "max_epochs=1", "metric=[accuracy]"]
    best = run(compose(*small, "observe=[]", "runtime=cpu"), tmp_path / "good")
    cfg = compose(*small, "observe=[plots]", "runtime=cpu")
    place, function = TROUBLE[trouble]
    if trouble == "a full disk":  # of the plots alone: checkpoints are written before
        function = full_for_plots(atomic_files.write)
    monkeypatch.setattr(place, function)
    caplog.clear()
    assert run(cfg, tmp_path / "bad") == best
    results = [json.loads((tmp_path / n / "result.json").read_text()) for n in ("good", "bad")]
    for result in results:
        for key in ("seconds", "examples_per_second", "train"):
            del result[key]
    assert results[0] == results[1]
    assert "failed" in caplog.text


def full_for_plots(write):
    """Return a function that writes files as ``write`` does, and fails in a folder ``plots``."""

    def written(path, fill, **options):
        if path.parent.name == "plots":
            no_space()
        write(path, fill, **options)

    return written


ODD = ["$x^2$", "猫の名前", "שלום עולם", "😀", "x" * 200, "two\nlines", "_hidden", "50 %"]


def test_odd_names_of_classes_and_columns_are_drawn_without_a_warning(compose, tmp_path, caplog):
    with open(tmp_path / "odd.csv", "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["$\\alpha$", "列", "y" * 200, "target"])
        writer.writerows([i % 7, i % 5, (i * i) % 11, ODD[i % len(ODD)]] for i in range(80))
    table = [f"data.root={tmp_path}", "data=csv", "data.file=odd.csv", "data.target=target"]
    run(compose(*table, "model=linear", "max_epochs=1", "observe=[plots]"), tmp_path / "run")
    assert drawn(tmp_path / "run") == CLASSIFIER | {"weights"}
    assert "failed" not in caplog.text


def made_up(outputs, targets, classes, metrics=None):
    """Return a finished run of two epochs on images of 4 x 4 pixels, with given test outputs."""
    images = torch.arange(len(targets) * 16, dtype=torch.uint8).view(-1, 1, 4, 4)
    part = Split(images, targets)
    names = tuple(f"class {number}" for number in range(classes))
    dataset = Dataset("made", part, part, names)
    standardize = Standardize(torch.zeros(1), torch.ones(1))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.ReLU(), torch.nn.Linear(16, classes))
    rows = metrics or [{"train/loss": 1.0, "val/loss": 2.0}, {"train/loss": 0.5, "val/loss": 1.0}]
    history = [Record(epoch, row) for epoch, row in enumerate(rows, 1)]
    recipe = type("Recipe", (), {"monitor": "val/loss"})()
    state = State(model, None, None, model, history)
    result = {"best_epoch": 1, "classes": list(names), "test": {"loss": 1.0}}
    fold = Fold(".", part, None, standardize)
    return Finished(state, recipe, fold, FinalTest(dataset, outputs, targets, "softmax"), result)


HARD = {
    "one class only": (torch.randn(6, 3), torch.zeros(6, dtype=torch.int64), 3),
    "one test example": (torch.randn(1, 3), torch.tensor([2]), 3),
    "a single class": (torch.zeros(4, 1), torch.zeros(4, dtype=torch.int64), 1),
    "a thousand classes": (torch.randn(50, 1000), torch.arange(50), 1000),
    "no mistakes": (10 * torch.eye(3), torch.arange(3), 3),
    "equal outputs": (torch.zeros(5, 4), torch.arange(5) % 4, 4),
}


@pytest.mark.parametrize("case", HARD)
def test_unusual_tests_are_drawn(case, tmp_path, caplog):
    finished = made_up(*HARD[case])
    write_run_plots(tmp_path, plots_of_run(finished), finished.test.dataset.classes)
    assert "failed" not in caplog.text
    assert {path.stem for path in tmp_path.glob("*.png")} == CLASSIFIER


def test_metrics_that_are_undefined_leave_gaps(tmp_path, caplog):
    rows = [{"train/loss": float("nan"), "val/loss": float("inf"), "lr": 0.0}] * 2
    finished = made_up(torch.randn(4, 2), torch.arange(4) % 2, 2, rows)
    write_run_plots(tmp_path, plots_of_run(finished), ())
    assert "failed" not in caplog.text
    assert (tmp_path / "curves.png").exists()


class Counted(Split):
    """A split that counts the examples which are read."""

    read: list

    def fetch(self, index, *more):
        self.read.append(len(index))
        return super().fetch(index, *more)


def test_only_the_images_that_are_drawn_are_read():
    split = Counted(torch.arange(100.0)[:, None], torch.arange(100))
    object.__setattr__(split, "read", [])
    assert examples_at(split, [7, 3]).flatten().tolist() == [7, 3]
    assert split.read == [2]


def test_plots_of_an_earlier_end_of_the_run_are_removed(tmp_path):
    (tmp_path / "boundary.png").write_bytes(b"old")
    (tmp_path / "mine.png").write_bytes(b"mine")
    write_run_plots(tmp_path, {}, ())
    assert [path.name for path in tmp_path.iterdir()] == ["mine.png"]


class Sees(Observer):
    """Keeps what it is given; one that is made for the run's folder would be in ``made``."""

    __module__, __qualname__ = "dlcourse.observe.history", "History"  # as configs may name it
    made, tests = [], []

    def __init__(self, folder):
        self.folder = folder
        Sees.made.append(folder.name)

    def tested(self, test):
        assert (self.folder / "result.json").exists()
        Sees.tests.append(test)


def test_a_cross_validation_has_curves_of_all_folds_and_plots_of_each(
    compose, tmp_path, monkeypatch, empty_files
):
    monkeypatch.setattr("dlcourse.observe.history.History", Sees)
    Sees.made, Sees.tests = [], []
    small = ["data.examples=60", "model=mlp", "split=kfold", "split.folds=2", "max_epochs=2"]
    run(compose(*small, "observe=[history,plots]", "runtime=cpu"), tmp_path / "run")
    assert drawn(tmp_path / "run") == {"curves", "confusion", "per_class"}
    assert drawn(tmp_path / "run/fold1") == CLASSIFIER
    assert Sees.made == ["fold0", "fold1"], "no observer without finish_folds for the run's folder"
    result = json.loads((tmp_path / "run/fold1/result.json").read_text())
    test = Sees.tests[1]
    right = (test.outputs.argmax(1) == test.targets).double().mean()
    assert float(right) == pytest.approx(result["test"]["accuracy"])
    assert len(test.dataset.test) == len(test.targets)


def test_an_observer_without_the_new_methods_still_works(tmp_path):
    from dlcourse.observe.guarded import Guarded

    class Old:
        def __init__(self, folder): ...

        def finish(self, state, result):
            self.result = result

    observer = Guarded("old", Old, tmp_path)
    observer.tested(None)
    observer.finish(None, {"best": 1})
    assert observer.observer.result == {"best": 1}


def test_data_without_an_animation_are_named_in_a_warning(tmp_path, caplog):
    finished = made_up(torch.randn(4, 2), torch.arange(4) % 2, 2)
    observer = Plots(tmp_path, animation=True)
    state = replace(finished.state, history=[])
    observer.start(state, finished.recipe, finished.fold)
    observer.epoch(finished.state)
    assert "these data have no animation" in caplog.text
    assert not (tmp_path / "plots").exists()


def test_a_run_that_diverges_leaves_its_curves_until_then(compose, tmp_path):
    options = ["data=linear", "data.train_examples=40", "model=linear", "optim=sgd", "optim.lr=30"]
    options += ["batch_size=full", "stop=never", "max_epochs=90", "observe=[plots]", "runtime=cpu"]
    with pytest.raises(DivergedError):
        run(compose(*options), tmp_path / "run")
    assert drawn(tmp_path / "run") == {"curves"}
