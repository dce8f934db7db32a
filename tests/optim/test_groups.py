"""Weight decay covers matrices and filters, and vectors only when asked."""

import torch
from torch import nn

from dlcourse.optim.groups import parameter_groups
from dlcourse.regularizer.l2 import l2


def model():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.PReLU(), nn.Linear(4, 2))


def test_biases_norms_and_slopes_do_not_decay():
    decaying, others = parameter_groups(model(), 0.1, False)
    assert [tuple(p.shape) for p in decaying["params"]] == [(4, 3), (2, 4)]
    assert decaying["weight_decay"] == 0.1
    assert others["weight_decay"] == 0
    assert all(p.dim() == 1 for p in others["params"])


def test_all_parameters_decay_when_asked():
    (group,) = parameter_groups(model(), 0.1, True)
    assert len(group["params"]) == len(list(model().parameters()))


def test_every_parameter_is_in_one_group():
    network = model()
    groups = parameter_groups(network, 0.1, False)
    assert {id(p) for g in groups for p in g["params"]} == {id(p) for p in network.parameters()}


def test_a_frozen_parameter_is_in_no_group():
    network = model()
    network[0].weight.requires_grad_(False)
    groups = parameter_groups(network, 0.0, False)
    assert all(p is not network[0].weight for g in groups for p in g["params"])


def test_for_plain_descent_weight_decay_equals_the_l2_penalty():
    ends = []
    for by_penalty in (False, True):
        torch.manual_seed(0)
        layer = nn.Linear(5, 3)
        decay = 0.0 if by_penalty else 0.1
        optimizer = torch.optim.SGD(parameter_groups(layer, decay, False), lr=0.2)
        for _ in range(10):
            optimizer.zero_grad()
            loss = layer(torch.ones(2, 5)).square().sum()
            penalty = l2(layer, strength=0.1, all_parameters=False) if by_penalty else 0
            (loss + penalty).backward()
            optimizer.step()
        ends.append(layer.weight.detach())
    torch.testing.assert_close(*ends, rtol=1e-6, atol=1e-7)
