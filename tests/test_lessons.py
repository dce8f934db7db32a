"""Classic results of a deep learning course, reproduced in runs of a few seconds."""

import pytest
import torch
from conftest import CONFIGS, prepared
from omegaconf import OmegaConf
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from dlcourse.engine.datasets import load_data, split_training_data
from dlcourse.engine.run import run
from dlcourse.runs import run_folder
from dlcourse.train.fit import fit


def accuracy(cfg, folder) -> float:
    """Train, and return the test accuracy of the best epoch."""
    run(cfg, folder)
    return run_folder.read_result(folder)["test"]["accuracy"]


@pytest.mark.parametrize(("gate", "learned"), [("and", True), ("or", True), ("xor", False)])
def test_the_perceptron_learns_the_gates_and_and_or_but_not_xor(gate, learned, compose, tmp_path):
    overrides = [
        "data=gates",
        f"data.gate={gate}",
        "model=perceptron",
        "observe=[]",
        "max_epochs=40",
    ]
    assert (accuracy(compose(*overrides), tmp_path / "run") == 1) == learned


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_an_mlp_with_a_hidden_layer_learns_xor(seed, compose, tmp_path):
    overrides = ["data=gates", "data.gate=xor", "model=mlp", "observe=[]", f"seed={seed}"]
    assert accuracy(compose(*overrides), tmp_path / "run") == 1


def test_cascade_correlation_classifies_the_two_spirals_without_error(compose):
    state, fold, recipe = prepared(compose("data=spirals", "model=cascade", "split.fraction=0",
                                           "stop=never", "monitor=train/accuracy"))  # fmt: skip
    fit(state, fold, recipe)
    values = [record.metrics["train/accuracy"] for record in state.history]
    assert max(values) == 1
    assert values[0] < 0.7  # without a hidden unit


def test_an_mlp_classifies_the_two_spirals_without_error(compose):
    overrides = ["data=spirals", "model=mlp", "model.widths=[40,40]", "model.activation=tanh",
             "optim.lr=0.01", "batch_size=full", "max_epochs=600", "split.fraction=0",
             "stop=never", "monitor=train/accuracy"]  # fmt: skip
    state, fold, recipe = prepared(compose(*overrides))
    fit(state, fold, recipe)
    assert state.history[-1].metrics["train/accuracy"] == 1


@pytest.mark.parametrize("data", ["linear", "diabetes"])
def test_gradient_descent_converges_to_the_closed_form_solution(data, compose):
    outputs = []
    descent = ["optim=nesterov", "optim.momentum=0.95", "optim.lr=0.02", "batch_size=full"]
    for overrides in (["optim=closed_form"], [*descent, "max_epochs=1500"]):
        state, fold, recipe = prepared(
            compose(f"data={data}", "model=linear", "stop=never", *overrides)
        )
        fit(state, fold, recipe)
        with torch.no_grad():
            outputs.append(state.model(fold.standardize(fold.train.inputs)))
    difference = (outputs[0] - outputs[1]).abs().max() / fold.train.targets.std()
    assert difference < 1e-4


def test_zero_initial_weights_keep_all_hidden_units_equal(tiny):
    state, fold, recipe = prepared(tiny("model=mlp", "init=zeros", "model.activation=tanh"))
    state.model.output.weight.data.fill_(0.1)  # with zeros the hidden units get no gradient
    fit(state, fold, recipe)
    weight = state.model.hidden[0].weight
    assert weight.abs().max() > 0
    assert torch.equal(weight, weight[:1].expand_as(weight))


def test_zero_initial_weights_in_all_layers_leave_only_the_output_bias_trainable(tiny):
    state, fold, recipe = prepared(tiny("model=mlp", "init=zeros"))
    fit(state, fold, recipe)
    moved = {name for name, value in state.model.named_parameters() if value.abs().max() > 0}
    assert moved == {"output.bias"}


def test_cross_validation_chooses_the_same_ridge_penalty_as_scikit_learn(compose, tmp_path):
    """The losses agree for each penalty, and the minimum is inside the range."""
    name = "ridge_by_cross_validation"
    preset = OmegaConf.load(CONFIGS / f"experiment/{name}.yaml")
    penalties = [float(text) for text in preset.hydra.sweeper.params["optim.ridge"].split(",")]
    losses = []
    for penalty in penalties:
        cfg = compose(f"experiment={name}", f"optim.ridge={penalty}", "observe=[]", "runtime=cpu")
        run(cfg, tmp_path / str(penalty))
        result = run_folder.read_result(tmp_path / str(penalty))
        losses.append(result["out_of_fold"]["loss"])

    train = load_data(cfg).train
    x, t = train.inputs.double().numpy(), train.targets.double().numpy()
    folds = [
        (part.train.numpy(), part.val.numpy()) for part in split_training_data(cfg, load_data(cfg))
    ]
    powers = PolynomialFeatures(cfg["model"]["order"], include_bias=False)
    theirs = make_pipeline(StandardScaler(), powers, Ridge(solver="svd"))
    for penalty, loss in zip(penalties, losses, strict=True):
        outputs = cross_val_predict(theirs.set_params(ridge__alpha=penalty), x, t, cv=folds)
        assert loss == pytest.approx(((outputs.reshape(t.shape) - t) ** 2).mean(), rel=1e-4)
    search = GridSearchCV(
        theirs, {"ridge__alpha": penalties}, scoring="neg_mean_squared_error", cv=folds
    )
    chosen = penalties[losses.index(min(losses))]
    assert chosen == search.fit(x, t).best_params_["ridge__alpha"]
    assert penalties[0] < chosen < penalties[-1]
    assert losses[0] > 1.1 * min(losses) < losses[-1] / 1.1
