"""What is measured inside a network, compared with numpy, autograd and formulas."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dlcourse.introspect.activations import output_statistics
from dlcourse.introspect.gradients import gradients_of, mean_gradient, signal_and_noise
from dlcourse.introspect.histogram import histogram
from dlcourse.introspect.read_back import read_back
from dlcourse.introspect.sharpness import largest_eigenvalue
from dlcourse.introspect.spectrum import effective_rank, singular_values, stable_rank
from dlcourse.introspect.undisturbed import undisturbed
from dlcourse.introspect.weighted_layers import layer_norms, weighted_layers


def small_net():
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(),
                         nn.Linear(3 * 36, 5), nn.Sigmoid(), nn.Linear(5, 4))  # fmt: skip


def batch(count=8):
    return torch.randn(count, 1, 8, 8), torch.arange(count) % 4


def test_layers_are_named_as_in_the_weights_and_shared_ones_count_once():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.positions = nn.Parameter(torch.zeros(4, 2))
            self.first = nn.Linear(2, 2)
            self.norm = nn.LayerNorm(2)
            self.again = self.first

    layers = weighted_layers(Own())
    assert [layer.name for layer in layers] == ["positions", "first", "norm"]
    assert [layer.matrix for layer in layers] == [True, True, False]
    assert [layer.name for layer in weighted_layers(nn.Linear(2, 1))] == ["Linear"]


def test_gradient_norms_equal_those_of_backward_and_grad_is_untouched():
    model, (inputs, targets) = small_net(), batch()
    layers = weighted_layers(model)
    parameters = [parameter for layer in layers for parameter in layer.parameters]
    model[4].bias.requires_grad_(False)
    model.eval()  # batch norm would differ between the parts

    def objective(some, wanted):
        return F.cross_entropy(model(some), wanted)

    mean, squares = mean_gradient(objective, parameters, inputs, targets, parts=4)
    assert all(parameter.grad is None for parameter in parameters)
    objective(inputs, targets).backward()
    for layer, norm in zip(layers, layer_norms(layers, mean), strict=True):
        own = [p.grad.flatten() for p in layer.parameters if p.grad is not None]
        assert float(norm) == pytest.approx(float(torch.cat(own).norm()), rel=1e-5)
    first = gradients_of(objective(inputs[:2], targets[:2]), parameters)
    total = sum(float(one.square().sum()) for one in first if one is not None)
    assert float(squares[0]) == pytest.approx(total, rel=1e-5)


def test_the_gradient_noise_is_that_of_gradients_with_known_mean_and_covariance():
    """Gradients G + e with e ~ N(0, S), G of norm 2 and tr(S) = 90."""
    random = np.random.default_rng(0)
    mean, found = np.full(4, 1.0), []
    for _ in range(300):
        examples = mean + random.normal(0, np.sqrt(22.5), (256, 4))
        parts = examples.reshape(4, 64, 4).mean(1)
        squares = [float((part**2).sum()) for part in parts]
        whole = float((examples.mean(0) ** 2).sum())
        found.append(signal_and_noise(squares, whole, 64))
    signal, noise = np.mean(found, 0)
    assert signal == pytest.approx(4, rel=0.05)
    assert noise == pytest.approx(90, rel=0.1)


def test_the_sharpness_is_the_largest_eigenvalue_of_the_hessian():
    model, (inputs, targets) = nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), batch()
    weights = dict(model.named_parameters())

    def loss(flat):
        parts = flat.split([256, 4])
        given = {n: part.view(w.shape) for part, (n, w) in zip(parts, weights.items(), strict=True)}
        return F.cross_entropy(torch.func.functional_call(model, given, inputs), targets)

    flat = torch.cat([weight.detach().flatten() for weight in weights.values()])
    hessian = torch.autograd.functional.hessian(loss, flat)
    exact = float(torch.linalg.eigvalsh(hessian)[-1])
    before = torch.get_rng_state()
    found = largest_eigenvalue(
        lambda some, wanted: F.cross_entropy(model(some), wanted),
        list(model.parameters()), inputs, targets, seed=0, iterations=60,
    )  # fmt: skip
    assert float(found) == pytest.approx(exact, rel=0.01)
    assert torch.equal(before, torch.get_rng_state())


def test_statistics_are_those_of_the_activation_after_each_layer():
    model, (inputs, _) = small_net().eval(), batch()
    with torch.no_grad():
        model[0].bias[1] = -100.0  # the ReLU after this channel is 0 for all inputs
        model[4].weight[2] = 100.0
    found = output_statistics(lambda: model(inputs), weighted_layers(model), model)
    assert list(found) == ["0", "4", "6"]
    relu = model[:3](inputs).detach().numpy()
    values = {name: float(value) for name, value in found["0"].values().items()}
    assert values["mean"] == pytest.approx(relu.mean(), rel=1e-5)
    assert values["spread"] == pytest.approx(relu.std(), rel=1e-4)
    assert values["zeros"] == pytest.approx((relu == 0).mean())
    assert values["dead"] == pytest.approx(1 / 3)
    sigmoid = model[:6](inputs).detach().numpy()
    saturated = ((sigmoid < 0.01) | (sigmoid > 0.99)).mean()
    assert saturated > 0.1
    assert float(found["4"].values()["saturated"]) == pytest.approx(saturated)
    output = found["6"].values()
    assert set(output) == {"mean", "spread"}
    assert float(output["mean"]) == pytest.approx(float(model(inputs).detach().mean()), rel=1e-4)


def test_activations_are_found_that_a_model_calls_as_functions():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 2)

        def forward(self, inputs):
            return self.second(F.relu(self.first(inputs)).tanh())

    model, inputs = Functional(), torch.randn(20, 4)
    found = output_statistics(lambda: model(inputs), weighted_layers(model), model)
    assert found["first"].activation == "relu", "the first activation after the layer"
    hidden = F.relu(model.first(inputs))
    assert float(found["first"].values()["zeros"]) == pytest.approx(
        float((hidden == 0).float().mean())
    )


def test_a_layer_that_runs_several_times_has_statistics_over_all_runs():
    layer = nn.Linear(3, 3)
    model, inputs = nn.Sequential(layer, nn.ReLU(), layer, nn.ReLU()), torch.randn(10, 3)
    found = output_statistics(lambda: model(inputs), weighted_layers(model), model)
    first, second = model[:2](inputs), model(inputs)
    both = torch.cat([first, second]).detach()
    assert float(found["0"].values()["mean"]) == pytest.approx(float(both.mean()), rel=1e-5)
    dead = float((both == 0).all(0).float().mean())
    assert float(found["0"].values()["dead"]) == pytest.approx(dead)


def test_ranks_are_those_of_numpys_singular_values():
    matrix = torch.randn(12, 7) @ torch.diag(torch.tensor([5.0, 3, 2, 1, 1, 0.5, 0.1]))
    values = np.linalg.svd(matrix.numpy(), compute_uv=False)
    assert singular_values(matrix).numpy() == pytest.approx(values, rel=1e-3)
    shares = values / values.sum()
    assert float(stable_rank(torch.from_numpy(values))) == pytest.approx(
        (values**2).sum() / values[0] ** 2
    )
    assert float(effective_rank(torch.from_numpy(values))) == pytest.approx(
        np.exp(-(shares * np.log(shares)).sum())
    )
    assert float(effective_rank(torch.ones(4))) == pytest.approx(4)


def test_a_histogram_counts_as_numpy_does():
    values = torch.randn(1000)
    found = histogram(values)
    counts, edges = np.histogram(values.numpy(), bins=len(found["counts"]))
    assert np.abs(found["counts"].numpy() - counts).sum() <= 2  # values on an edge
    assert found["counts"].sum() == 1000
    assert float(found["low"]) == pytest.approx(edges[0])
    assert histogram(torch.zeros(5))["counts"].sum() == 5


def test_everything_is_restored_also_after_an_error():
    model, (inputs, _) = small_net(), batch()
    model[2].eval()
    modes = [module.training for module in model.modules()]
    mean, state = model[1].running_mean.clone(), torch.get_rng_state()

    def measurement_that_fails():
        with undisturbed(model, 5):
            model.train()
            model(inputs)
            assert not torch.equal(mean, model[1].running_mean)
            torch.rand(3)
            np.random.rand()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        measurement_that_fails()
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(mean, model[1].running_mean)
    assert torch.equal(state, torch.get_rng_state())


def test_nested_tensors_are_read_as_numbers():
    tree = {"a": torch.tensor(1.23456789), "b": [torch.tensor([1, 2]), 5], "c": {"d": "text"}}
    assert read_back(tree) == {"a": 1.23457, "b": [[1.0, 2.0], 5], "c": {"d": "text"}}
