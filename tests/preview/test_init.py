"""The variance of signals and gradients is that of the run's own network before training."""

import re

import pytest
import torch
from torch import nn

from dlcourse.introspect.signals import measure_signals

DEEP = ["what=init", "model=mlp", "model.widths=[256]", "depth=30"]


def test_he_keeps_the_variance_of_a_deep_relu_net_and_xavier_halves_it_in_each_layer(shown):
    text, figures = shown(*DEEP, "init=he_normal,xavier_normal")
    found = re.findall(r"(\w+): the variance of the outputs is \S+ at layer 1 and (\S+) at", text)
    variances = {name: float(value) for name, value in found}
    assert variances["he_normal"] == pytest.approx(2.3, rel=0.1)
    assert variances["xavier_normal"] == pytest.approx(3.2e-9, rel=0.1)
    signals, gradients = figures["init"].axes
    he, xavier = (line.get_ydata() for line in signals.lines)
    assert len(he) == 31
    assert all(0.5 < ratio < 2 for ratio in he[1:30] / he[:29])
    assert (xavier[29] / xavier[0]) ** (1 / 29) == pytest.approx(0.5, rel=0.05)
    he, xavier = (line.get_ydata() for line in gradients.lines)
    assert 0.01 < he[0] / he[29] < 100
    assert xavier[0] / xavier[29] < 1e-7


def test_zeros_have_no_place_on_a_logarithmic_axis_and_are_named(shown):
    text, figures = shown(*DEEP, "model.widths=[16]", "init=zeros,normal")
    assert figures["init"].axes[0].lines[0].get_label() == "zeros (0 at every layer)"
    assert "zeros: the variance of the outputs is 0 at layer 1" in text
    assert "No gradient arrives at 30 of 31 layers." in text


@pytest.mark.parametrize("model", ["resnet20", "vit", "lenet"])
def test_a_model_of_any_kind_is_measured(model, shown):
    text, _ = shown("what=init", f"model={model}", "examples=8", "data.examples=60")
    assert "The variance of the outputs" in text


def test_standard_normal_inputs_replace_the_data(shown):
    text, _ = shown("what=init", "model=linear", "inputs=normal", "init=lecun_normal")
    variance = float(re.search(r"The variance of the outputs is (\S+),", text)[1])
    assert variance == pytest.approx(1, rel=0.1)


def test_depth_needs_a_model_with_widths(refused):
    assert "model=mlp 'model.widths=[100]'" in refused("what=init", "depth=3")
    assert "inputs=noise is not allowed" in refused("what=init", "inputs=noise")


def test_signals_are_the_variances_of_outputs_and_of_their_gradients():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)).double()
    inputs, targets = torch.randn(5, 3).double(), torch.randn(5, 2).double()
    first, last = measure_signals(net, lambda: (net(inputs) - targets).square().sum())
    hidden = inputs @ net[0].weight.T + net[0].bias
    outputs = hidden.relu() @ net[2].weight.T + net[2].bias
    slopes = 2 * (outputs - targets)
    back = (slopes @ net[2].weight) * (hidden > 0)
    for signal, values, gradient in ((first, hidden, back), (last, outputs, slopes)):
        assert signal.mean == pytest.approx(values.mean().item())
        assert signal.variance == pytest.approx(values.var(correction=0).item())
        assert signal.largest == values.abs().max().item()
        assert signal.gradient == pytest.approx(gradient.var(correction=0).item())
    assert [signal.name for signal in (first, last)] == ["0", "2"]
