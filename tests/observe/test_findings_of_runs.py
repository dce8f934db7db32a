"""Real runs say in words what is wrong with them; a run without a problem says nothing."""

import json

import pytest

from dlcourse.engine.run import run

SGD = ("optim=sgd", "model.widths=[16]", "max_epochs=6")
RUNS = {
    "overfitting": (
        ["data.examples=100", "data.random_labels=0.5", "max_epochs=40", "optim.lr=0.01",
         "stop=never"],
        "training accuracy 1.00, validation 0.",
    ),
    "learning rate is too high": (
        [*SGD, "optim.lr=20", "clip=norm", "clip.max_norm=1"], "a step changes the weights by "
    ),
    "learning rate is too low": ([*SGD, "optim.lr=1e-6"], "a step changes the weights by "),
    "units are dead": ([*SGD, "optim.lr=20", "clip=norm", "clip.max_norm=1"], "layer hidden.0: 1"),
    "outputs are saturated": (
        ["model.activation=tanh", "init=normal", "init.std=1", "max_epochs=1"], "layer hidden.0: "
    ),
    "vanishing gradients": (
        ["model.activation=sigmoid", "model.widths=[16,16,16,16,16,16,16,16,16]", "max_epochs=1"],
        "before training the gradients of layer hidden.0 are",
    ),
}  # fmt: skip
BASE = ("data.examples=150", "model=mlp", "observe=[console,diagnostics]")


def findings(tiny, overrides, folder):
    run(tiny(*BASE, *overrides), folder)
    return json.loads((folder / "diagnostics.json").read_text())["findings"]


@pytest.mark.parametrize("name", RUNS)
def test_a_run_with_a_problem_says_so(name, tiny, tmp_path, capsys):
    overrides, part = RUNS[name]
    found = findings(tiny, overrides, tmp_path / "run")
    (sentence,) = (one for one in found if name in one and part in one)
    assert f"note: {sentence}\n" in capsys.readouterr().out
    assert (tmp_path / "run/plots/diagnostics.png").stat().st_size > 10_000


def test_a_run_without_a_problem_says_nothing(tiny, tmp_path, capsys):
    assert findings(tiny, ["data.examples=300", "max_epochs=8"], tmp_path / "run") == []
    assert "note:" not in capsys.readouterr().out


def test_the_console_says_what_the_curves_show_without_the_observer(tiny, tmp_path, capsys):
    run(tiny("model=mlp", "optim.lr=1e-8", "max_epochs=3", "observe=[console]"), tmp_path / "run")
    assert "note: nothing was learned: the best accuracy is" in capsys.readouterr().out
    assert not (tmp_path / "run/diagnostics.json").exists()
