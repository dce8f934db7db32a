"""LeNet-5, MLP and linear model have the parameters and shapes of their papers and the course."""

import pytest
import torch
from torch import nn

from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError
from dlcourse.schema.bounds import ACTIVATION_NAMES, NORM_NAMES


def make(compose, shape, outputs, *overrides):
    return build(compose(*overrides)["model"])(shape, outputs)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("size", [28, 32])
@pytest.mark.parametrize("pool", ["max", "average"])
def test_lenet_has_61706_parameters(size, pool, compose):
    model = make(compose, (1, size, size), 10, "model=lenet", f"model.pool={pool}")
    assert parameters(model) == 61_706
    assert model.features(torch.zeros(2, 1, size, size)).shape == (2, 16, 5, 5)


@pytest.mark.parametrize("shape", [(1, 29, 29), (3, 31, 40), (3, 64, 48), (1, 33, 32)])
def test_lenet_takes_any_size_from_28(shape, compose):
    model = make(compose, shape, 7, "model=lenet")
    assert model(torch.zeros(2, *shape)).shape == (2, 7)


def test_lenet_refuses_a_table(compose):
    with pytest.raises(UserError, match="model=mlp"):
        make(compose, (4,), 2, "model=lenet")


def test_an_mlp_of_6_4_3_1_units_has_47_parameters(compose):
    assert parameters(make(compose, (6,), 1, "model=mlp", "model.widths=[4,3]")) == 47


def test_an_mlp_without_hidden_layers_is_the_linear_model(compose):
    assert parameters(make(compose, (6,), 3, "model=mlp", "model.widths=[]")) == 21


def test_a_softmax_classifier_of_cifar10_has_10_times_3072_weights(compose):
    model = make(compose, (3, 32, 32), 10, "model=linear")
    assert model.output.weight.shape == (10, 3072)


@pytest.mark.parametrize("model", ["mlp", "lenet"])
@pytest.mark.parametrize("activation", ACTIVATION_NAMES)
def test_a_model_trains_two_steps_with_every_activation(model, activation, compose):
    net = make(compose, (1, 28, 28), 10, f"model={model}", f"model.activation={activation}")
    assert moves(net)


@pytest.mark.parametrize("model", ["mlp", "lenet"])
@pytest.mark.parametrize("norm", NORM_NAMES)
@pytest.mark.parametrize("dropout", [0, 0.5])
def test_a_model_trains_two_steps_with_every_norm_and_dropout(model, norm, dropout, compose):
    overrides = [f"model={model}", f"model.norm={norm}", f"model.dropout={dropout}"]
    if (model, norm) == ("mlp", "instance"):
        with pytest.raises(UserError, match=r"model\.norm=layer"):
            make(compose, (1, 28, 28), 10, *overrides)
        return
    net = make(compose, (1, 28, 28), 10, *overrides)
    assert any(isinstance(layer, nn.Dropout) for layer in net.modules()) == (dropout > 0)
    assert moves(net)


def moves(net) -> bool:
    """Return whether two steps change every parameter tensor of the last layer and stay finite."""
    torch.manual_seed(0)
    before = [p.detach().clone() for p in net.parameters()]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(torch.randn(8, 1, 28, 28)), torch.arange(8))
        loss.backward()
        optimizer.step()
    moved = [not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True)]
    return moved[-1] and sum(moved) >= 2 and all(p.isfinite().all() for p in net.parameters())
