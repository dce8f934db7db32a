"""Bishop's polynomials: order 0, evenly spaced points, coefficients for the raw input."""

import numpy as np
import pytest
import torch
from conftest import prepared

from dlcourse.engine.datasets import load_data
from dlcourse.engine.instantiate import build
from dlcourse.engine.run import run
from dlcourse.runs import run_folder
from dlcourse.runs.messages import folds_table
from dlcourse.train.fit import fit

EVEN_SINE = (
    "data=sine", "data.spacing=even", "data.train_examples=10", "data.test_examples=100",
    "model=polynomial", "split.fraction=0", "stop=never", "monitor=train/loss", "mode=min",
    "batch_size=full", "runtime=cpu", "runtime.threads=1", "observe=[history]",
)  # fmt: skip


def test_data_spacing_even_spaces_the_points_from_0_to_1_in_both_parts(compose):
    data = load_data(compose(*EVEN_SINE, "data.noise=0"))
    np.testing.assert_allclose(data.train.inputs[:, 0], np.linspace(0, 1, 10), atol=1e-7)
    np.testing.assert_allclose(data.test.inputs[:, 0], np.linspace(0, 1, 100), atol=1e-7)
    np.testing.assert_allclose(
        data.train.targets[:, 0], np.sin(2 * np.pi * np.linspace(0, 1, 10)), atol=1e-6
    )
    noisy = load_data(compose(*EVEN_SINE, "data.noise=0.3"))
    assert not torch.equal(noisy.train.targets, data.train.targets)
    drawn = load_data(compose(*EVEN_SINE, "data.spacing=random")).train.inputs[:, 0]
    assert drawn.diff().min() < 0


@pytest.mark.parametrize("standardize", ["channel", "none", "zca"])
@pytest.mark.parametrize("order", [0, 1, 3, 9])
def test_the_coefficients_equal_those_of_numpy(order, standardize, compose, tmp_path):
    overrides = [*EVEN_SINE, f"model.order={order}", "optim=closed_form", "max_epochs=1",
             f"data.standardize={standardize}"]  # fmt: skip
    run(compose(*overrides), tmp_path / "run")
    result = run_folder.read_result(tmp_path / "run")
    train = load_data(compose(*overrides)).train
    x, t = (values[:, 0].double().numpy() for values in (train.inputs, train.targets))
    expected = np.polynomial.Polynomial.fit(x, t, order).convert().coef
    (ours,) = result["coefficients"]
    if (order, standardize) != (9, "none"):  # float32 cannot distinguish these powers
        np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-3)
    assert result["parameters"] == order + 1
    (line,) = folds_table(result, 1000)
    assert line.startswith(f"coefficients w_0={ours[0]:.6g}")
    assert line.endswith(f"w_{order}={ours[-1]:.6g}")
    narrow = folds_table(result, 40)
    assert max(map(len, narrow)) <= 40
    assert " ".join(part.strip() for part in narrow) == line


@pytest.mark.parametrize(
    "overrides",
    [
        ("optim=adam", "optim.lr=0.1"),
        ("optim=sgd", "optim.lr=0.3", "init=he_normal", "optim.weight_decay=0.1"),
        ("optim=lbfgs", "init=orthogonal", "regularizer=[l2]"),
        ("optim=gd", "optim.lr=0.3", "clip=norm", "runtime.linear=convolution"),
    ],
    ids=lambda overrides: overrides[0],
)
def test_a_polynomial_of_order_0_learns_the_mean_of_the_targets(overrides, compose):
    state, fold, recipe = prepared(
        compose(*EVEN_SINE, "model.order=0", "max_epochs=60", *overrides)
    )
    state = fit(state, fold, recipe)
    mean = fold.train.targets.mean().item()
    assert state.model.output.bias.item() == pytest.approx(mean, abs=0.01)
    assert [name for name, _ in state.model.named_parameters()] == ["output.bias"]


def test_a_polynomial_of_order_0_is_one_constant_for_each_output(compose):
    model = build(compose(*EVEN_SINE, "model.order=0")["model"])((4,), 3)
    torch.nn.init.normal_(model.output.bias)
    inputs = torch.randn(5, 4)
    assert model.features(inputs).shape == (5, 0)
    assert torch.equal(model(inputs), model.output.bias.expand(5, 3))
    assert model(inputs).requires_grad
