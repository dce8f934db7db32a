"""The closed form is the minimum of the squared error."""

import pytest
import torch
from conftest import prepared
from references.optim import Fixed

from dlcourse.engine.instantiate import build
from dlcourse.engine.run import run
from dlcourse.errors import UserError
from dlcourse.optim.closed_form import ClosedForm, solve
from dlcourse.runs import run_folder
from dlcourse.train.fit import fit


@pytest.mark.parametrize("ridge", [0.0, 3.0])
def test_the_gradient_of_the_objective_is_zero_at_the_solution(ridge):
    x, t = torch.randn(40, 5, dtype=torch.float64), torch.randn(40, 2, dtype=torch.float64)
    weight, bias = (part.clone().requires_grad_() for part in solve(x, t, ridge, True))
    residual = x @ weight.T + bias - t
    (residual.square().sum() + ridge * weight.square().sum()).backward()
    assert max(weight.grad.abs().max(), bias.grad.abs().max()) < 1e-10


def test_dependent_features_get_the_weights_of_minimum_norm():
    x = torch.randn(30, 4)
    x[:, 3] = 2 * x[:, 1] - x[:, 2]  # up to the rounding of float32
    for examples in (30, 3):  # dependent columns, and fewer examples than features
        targets = torch.randn(examples, 1)
        weight, _ = solve(x[:examples], targets, 0.0, True)
        centred = (x[:examples] - x[:examples].mean(0)).double()
        expected = torch.linalg.pinv(centred, rtol=1e-6) @ (targets - targets.mean(0)).double()
        torch.testing.assert_close(weight.T, expected, rtol=1e-4, atol=1e-5)


def test_an_ill_conditioned_polynomial_is_solved_to_6_digits():
    x = torch.linspace(0, 1, 30, dtype=torch.float64)[:, None] ** torch.arange(1, 10)
    true = torch.randn(1, 9, dtype=torch.float64)
    weight, _ = solve(x, x @ true.T, 0.0, True)
    assert (weight - true).abs().max() < 1e-6  # with the normal equations no digit is right


def test_a_growing_ridge_shrinks_the_weights_and_leaves_the_mean():
    x, t = torch.randn(20, 3), torch.randn(20, 1)
    norms = [solve(x, t, ridge, True)[0].norm().item() for ridge in (0, 1e-9, 1, 100, 1e12)]
    assert norms == sorted(norms, reverse=True)
    assert norms[0] == pytest.approx(norms[1])
    assert solve(x, t, 1e12, True)[1].item() == pytest.approx(t.mean().item(), abs=1e-5)


@pytest.mark.parametrize("data", ["sine", "digits"])
def test_one_epoch_of_the_closed_form_reaches_a_loss_that_lbfgs_does_not_beat(data, compose):
    overrides = ["runtime=cpu", "data.examples=200"] + ["data.size=8"] * (data == "digits")
    ends = {}
    for name in ("closed_form", "lbfgs"):
        cfg = compose(f"data={data}", "model=linear", "loss=mse", f"optim={name}", *overrides)
        cfg["max_epochs"] = 1 if name == "closed_form" else 30
        state, fold, recipe = prepared(cfg)
        fit(state, fold, recipe)
        inputs = recipe.prepare(fold.standardize(fold.train.inputs))
        ends[name] = recipe.loss(state.model(inputs), fold.train.targets).item()
        if name == "closed_form":
            assert state.history[0].metrics["train/loss"] == pytest.approx(ends[name], rel=1e-5)
    assert ends["closed_form"] <= ends["lbfgs"] * (1 + 1e-5)


def test_classes_are_fitted_as_one_hot_vectors(compose):
    cfg = compose("data=digits", "data.size=8", "model=linear", "optim=closed_form", "runtime=cpu")
    assert cfg["loss"]["_target_"].endswith("mse")
    state, fold, recipe = prepared(cfg)
    fit(state, fold, recipe)
    assert state.history[-1].metrics["val/accuracy"] > 0.9


@pytest.mark.parametrize("name", ["mlp", "lenet"])
def test_other_models_are_refused_with_a_remedy(name, compose):
    cfg = compose("data=digits", f"model={name}", "optim=closed_form", "runtime=cpu")
    state, fold, recipe = prepared(cfg)
    with pytest.raises(UserError, match=r"\nType model=linear"):
        fit(state, fold, recipe)


def test_features_of_another_shape_are_refused(compose):
    model = Fixed(3, 1)
    model.features = torch.flatten  # (N M,) instead of (N, M)
    state, _, recipe = prepared(compose("data=sine", "model=linear", "optim=closed_form"))
    state.model = model
    with pytest.raises(UserError, match="Fixed has another structure"):
        ClosedForm.training_step(state, torch.zeros(2, 3), torch.zeros(2, 1), recipe)


def test_metric_noise_estimates_the_noise_of_a_linear_problem(compose):
    """The maximum-likelihood estimate of equation 3.21, for targets with known noise."""
    x = torch.randn(5000, 3)
    t = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 4 + 0.25 * torch.randn(5000, 1)
    weight, bias = solve(x, t, 0.0, True)
    noise = build(compose("data=sine", "metric=[noise]")["metric"]["noise"], "training")()
    values = noise.report(noise.measure(x @ weight.T.float() + bias.float(), t), len(t))
    assert values["noise_std"] == pytest.approx(0.25, rel=0.03)
    assert values["beta"] == pytest.approx(values["noise_std"] ** -2)
    assert bias.item() == pytest.approx(4, abs=0.02)


@pytest.mark.parametrize("overrides", [["data=diabetes"], ["data=sine", "max_epochs=30"]], ids=str)
def test_the_closed_form_ends_after_one_epoch_with_any_max_epochs(overrides, compose, tmp_path):
    cfg = compose(
        *overrides, "model=linear", "optim=closed_form", "observe=[history]", "runtime=cpu"
    )
    assert cfg["max_epochs"] > 1
    run(cfg, tmp_path / "run")
    assert run_folder.read_result(tmp_path / "run")["epochs"] == 1
    assert len((tmp_path / "run/history.jsonl").read_text().splitlines()) == 1
