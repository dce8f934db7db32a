"""A linear layer computed by oneDNN gives the outputs and gradients of PyTorch's."""

import copy

import pytest
import torch
from torch import nn
from torch.autograd.gradcheck import GradcheckError
from torch.utils.flop_counter import FlopCounterMode

from dlcourse.errors import UserError
from dlcourse.machine import linear_by_onednn
from dlcourse.machine.linear_by_onednn import LinearByOneDnn, OneDnnLinear, has_onednn, use_onednn

pytestmark = pytest.mark.skipif(not has_onednn(), reason="this PyTorch has no oneDNN")


def pair(**options) -> tuple[nn.Linear, nn.Module]:
    """Return a linear layer and the same one computed by oneDNN."""
    usual = nn.Linear(300, 120, **options)
    other = nn.Sequential(copy.deepcopy(usual))
    use_onednn(other)
    assert type(other[0]) is LinearByOneDnn
    return usual, other[0]


def gradients(layer, inputs, outer):
    """Return outputs, and the gradients of the inputs and of all parameters."""
    inputs = inputs.clone().requires_grad_(True)
    outputs = layer(inputs)
    outputs.backward(outer)
    return [outputs.detach(), inputs.grad, *(weight.grad for weight in layer.parameters())]


@pytest.mark.parametrize("shape", [(64,), (2, 5), ()])
@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_gradients_are_those_of_float64(shape, bias):
    usual, other = pair(bias=bias)
    inputs, outer = torch.randn(*shape, 300), torch.randn(*shape, 120)
    exact = gradients(usual.double(), inputs.double(), outer.double())
    for value, expected in zip(gradients(other, inputs, outer), exact, strict=True):
        torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-4)


def test_inputs_in_another_memory_order_give_the_same_values():
    usual, other = pair()
    inputs, outer = torch.randn(300, 7).t(), torch.randn(120, 7).t()
    for value, expected in zip(
        gradients(other, inputs, outer), gradients(usual, inputs, outer), strict=True
    ):
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-4)


def test_the_derivative_is_that_of_the_function(monkeypatch):
    monkeypatch.setattr(linear_by_onednn, "product", torch.nn.functional.linear)
    arguments = [torch.randn(shape, dtype=torch.float64) for shape in ((3, 4), (2, 4), (2,))]
    for argument in arguments:
        argument.requires_grad_(True)
    assert torch.autograd.gradcheck(OneDnnLinear.apply, arguments)
    assert torch.autograd.gradgradcheck(OneDnnLinear.apply, arguments)
    monkeypatch.setattr(linear_by_onednn, "product", lambda x, w, b=None: (x @ w.t()).abs())
    with pytest.raises(GradcheckError):
        torch.autograd.gradcheck(OneDnnLinear.apply, arguments)


def test_a_second_derivative_is_that_of_pytorch():
    found = []
    inputs = torch.randn(5, 300)
    usual, other = pair()
    for layer in (usual, other):
        (slope,) = torch.autograd.grad(layer(inputs).tanh().sum(), layer.weight, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), layer.weight)[0])
    assert (found[1] - found[0]).abs().max() < 1e-5 * found[0].abs().max()


def test_what_observes_or_transforms_sees_pytorchs_own_layer(monkeypatch):
    usual, other = pair()
    inputs = torch.randn(5, 300)
    with monkeypatch.context() as patch:
        patch.setattr(linear_by_onednn, "product", None)
        with FlopCounterMode(display=False) as counter:
            other(inputs)
        assert counter.get_total_flops() == 2 * 5 * 300 * 120
        torch.testing.assert_close(torch.func.vmap(other)(inputs[None])[0], usual(inputs))
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(other(inputs), usual(inputs))
        assert torch.equal(other.double()(inputs.double()), usual.double()(inputs.double()))
        with pytest.raises(TypeError, match="NoneType"):  # the control: else it is used
            other.float()(inputs)


def test_small_and_derived_layers_stay():
    class Own(nn.Linear):
        pass

    model = nn.Sequential(Own(300, 120), nn.Linear(30, 10))
    use_onednn(model)
    assert [type(layer) for layer in model] == [Own, nn.Linear]


def test_it_is_refused_without_fast_paths_and_without_onednn(monkeypatch):
    from dlcourse import runtime

    options = {
        "device": "cpu", "precision": "fp32", "threads": None, "channels_last": False,
        "linear": "onednn", "fused_layers": False, "keep_memory": False, "graph": False,
        "compile": False,
        "anomaly": False,
        "deterministic": False, "devices": 1, "batch_norm": "synchronised",
    }  # fmt: skip
    with pytest.raises(UserError, match="Type runtime"):
        runtime.Runtime(**options, fast_paths=False)
    assert runtime.Runtime(**options, fast_paths=True).linear == "onednn"
    monkeypatch.setattr(runtime, "has_onednn", lambda: False)
    with pytest.raises(UserError, match="needs a PyTorch with oneDNN"):
        runtime.Runtime(**options, fast_paths=True)
