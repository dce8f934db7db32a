"""Where and how arithmetic runs makes no difference to what comes out."""

import sys

import pytest
import torch
from torch import nn

from dlcourse.build import build
from dlcourse.error import UserError

PLAIN, NHWC = "runtime.channels_last=false", "runtime.channels_last=true"
PICTURES = (7, 1, 28, 28)


def gradients(cfg, weights: dict) -> dict:
    """Return a model's gradients, by name, of a sum over its outputs for some pictures."""
    runtime = build(cfg.runtime)()
    model = build(cfg.model)(PICTURES[1:], 10)
    model.load_state_dict(weights)
    runtime.place(model, PICTURES[1:])
    pictures = torch.randn(PICTURES, generator=torch.Generator().manual_seed(0))
    model(runtime.prepare(PICTURES[1:])(pictures)).square().sum().backward()
    return {name: weight.grad for name, weight in model.named_parameters()}


@pytest.mark.parametrize(
    "words", [["model=resnet18", "model.width=8"], ["model=nfnet", "model.widths=[8,12]"]]
)
def test_narrow_shortcuts_learn_the_same_in_both_memory_orders(words, compose):
    torch.set_num_threads(2)
    weights = build(compose(*words).model)(PICTURES[1:], 10).state_dict()
    plain, nhwc = (
        gradients(compose("runtime=cpu", *words, order), weights) for order in (PLAIN, NHWC)
    )
    assert plain.keys() == nhwc.keys()
    for name, gradient in plain.items():
        scale = gradient.abs().max() + 1e-6
        assert (nhwc[name] - gradient).abs().max() / scale < 1e-3, name


@pytest.mark.parametrize(("channels", "stride"), [(8, (1, 1)), (16, (2, 2))])
def test_only_narrow_layers_get_their_pixels_skipped_first(channels, stride, compose):
    runtime = build(compose("runtime=cpu", NHWC).runtime)()
    model = nn.Sequential(nn.Conv2d(channels, 4, 1, 2))
    runtime.place(model, (channels, 8, 8))
    assert model[0].stride == stride
    assert model(torch.randn(2, channels, 8, 8)).shape == (2, 4, 4, 4)


def test_compiling_without_a_compiler_is_refused(compose, monkeypatch):
    make = build(compose("runtime=cpu", "runtime.compile=true").runtime)
    monkeypatch.setenv("CXX", "/no/such/compiler")
    with pytest.raises(UserError, match=r"needs a C\+\+ compiler, and /no/such/compiler is not"):
        make()
    monkeypatch.setenv("CXX", sys.executable)  # anything that is there
    model = make().place(nn.Linear(2, 2), (2,))
    assert model._compiled_call_impl is not None
