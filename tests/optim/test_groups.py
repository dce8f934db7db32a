"""Every parameter is in exactly one group, with its own rate and decay."""

import pytest
import torch
from conftest import prepared
from torch import nn

from dlcourse.errors import UserError
from dlcourse.optim.groups import parameter_groups
from dlcourse.regularizer.l2 import l2
from dlcourse.train.fit import fit


def model():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.PReLU(), nn.Linear(4, 2))


def parts():
    return nn.ModuleDict({"features": model(), "head": nn.Linear(2, 2)})


def rates_by_name(network, rates):
    """Return the factor of every parameter by name."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    groups = parameter_groups(network, 0.1, False, rates, [])
    return {names[id(p)]: group["rate"] for group in groups for p in group["params"]}


def test_biases_norms_and_prelu_slopes_do_not_decay():
    decaying, others = parameter_groups(model(), 0.1, False, {}, [])
    assert [tuple(p.shape) for p in decaying["params"]] == [(4, 3), (2, 4)]
    assert decaying["weight_decay"] == 0.1
    assert others["weight_decay"] == 0
    assert all(p.dim() == 1 for p in others["params"])


def test_all_parameters_decay_with_decay_all():
    (group,) = parameter_groups(model(), 0.1, True, {}, [])
    assert len(group["params"]) == len(list(model().parameters()))


@pytest.mark.parametrize("rates", [{}, {"0.*": 0.1, "*.bias": 2.0}])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_every_parameter_is_in_one_group(rates, decay):
    network = model()
    groups = parameter_groups(network, decay, False, rates, [])
    members = [id(p) for g in groups for p in g["params"]]
    assert sorted(members) == sorted(id(p) for p in network.parameters())
    assert len({(g["weight_decay"], g["rate"]) for g in groups}) == len(groups)


def test_a_frozen_parameter_is_in_no_group():
    network = model()
    network[0].weight.requires_grad_(False)
    groups = parameter_groups(network, 0.0, False, {}, [])
    assert all(p is not network[0].weight for g in groups for p in g["params"])


def test_a_pattern_freezes_only_the_parameters_that_match():
    network = parts()
    groups = parameter_groups(network, 0.0, False, {}, ["features.0.*", "head.bias"])
    frozen = {name for name, p in network.named_parameters() if not p.requires_grad}
    assert frozen == {"features.0.weight", "features.0.bias", "head.bias"}
    assert sum(len(group["params"]) for group in groups) == 6


def test_a_pattern_sets_the_rate_and_the_last_match_wins():
    rates = rates_by_name(parts(), {"features.*": 0.1, "*.bias": 3.0, "features.3.bias": 0.0})
    assert rates["features.0.weight"] == 0.1
    assert rates["features.0.bias"] == rates["head.bias"] == 3
    assert rates["features.3.bias"] == 0
    assert rates["head.weight"] == 1


@pytest.mark.parametrize("key", ["rates", "freeze"])
def test_a_pattern_without_a_match_is_refused_with_the_names_of_the_parts(key):
    rates, freeze = ({"feature.*": 0.1}, []) if key == "rates" else ({}, ["feature.*"])
    with pytest.raises(UserError) as caught:
        parameter_groups(parts(), 0.0, False, rates, freeze)
    message = str(caught.value)
    assert "called feature.*; did you mean features? Allowed: features, head" in message
    assert f"optim.{key}=[features.*{':0.1' if key == 'rates' else ''}]" in message


@pytest.mark.parametrize("freeze", [["*"], ["features.*", "head.*"]])
def test_at_least_one_parameter_must_be_trained(freeze):
    with pytest.raises(UserError, match=r"No parameter is left.*\nType optim\.freeze=\[\]"):
        parameter_groups(parts(), 0.0, False, {}, freeze)


def test_in_a_run_frozen_weights_stay_and_rates_scale_the_step(tiny):
    overrides = ["model=mlp", "model.widths=[8]", "data.size=8", "optim=sgd", "batch_size=full"]
    moves = []
    for more in ([], ["optim.rates=[output.*:0.5]", "optim.freeze=[hidden.0.weight]"]):
        state, fold, recipe = prepared(tiny(*overrides, *more, "max_epochs=1"))
        before = {name: p.detach().clone() for name, p in state.model.named_parameters()}
        fit(state, fold, recipe)
        moves.append({name: p - before[name] for name, p in state.model.named_parameters()})
    plain, ours = moves
    torch.testing.assert_close(ours["output.weight"], plain["output.weight"] / 2)
    torch.testing.assert_close(ours["hidden.0.bias"], plain["hidden.0.bias"])
    assert not ours["hidden.0.weight"].any()
    assert plain["hidden.0.weight"].any()


def ends_of_decay_and_penalty(decay_all, all_parameters, *, momentum=0.0, adaptive=False):
    """Return a layer's weights and biases under weight decay, and under the l2 penalty."""
    ends = []
    for by_penalty in (False, True):
        torch.manual_seed(0)
        layer = nn.Linear(5, 3)
        groups = parameter_groups(layer, 0.0 if by_penalty else 0.1, decay_all, {}, [])
        if adaptive:
            optimizer = torch.optim.AdamW(groups, lr=0.2)
        else:
            optimizer = torch.optim.SGD(groups, lr=0.2, momentum=momentum)
        for _ in range(10):
            optimizer.zero_grad()
            loss = layer(torch.ones(2, 5)).square().sum()
            penalty = l2(layer, strength=0.1, all_parameters=all_parameters) if by_penalty else 0
            (loss + penalty).backward()
            optimizer.step()
        ends.append(torch.cat([layer.weight.detach(), layer.bias.detach()[:, None]], 1))
    return ends


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("everything", [False, True])
def test_for_sgd_weight_decay_equals_the_l2_penalty(everything, momentum):
    ends = ends_of_decay_and_penalty(everything, everything, momentum=momentum)
    torch.testing.assert_close(*ends, rtol=1e-6, atol=1e-6)


def test_the_equality_fails_for_other_parameters_and_for_adamw():
    for ends in (
        ends_of_decay_and_penalty(True, False),
        ends_of_decay_and_penalty(False, False, adaptive=True),
    ):
        with pytest.raises(AssertionError):
            torch.testing.assert_close(*ends, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("optim", ["adam", "muon"])
def test_rates_are_set_in_the_optimizer_and_the_schedule_keeps_their_ratio(optim, tiny):
    overrides = ["model=lenet", f"optim={optim}", "optim.rates=[features.*:0.1,*.bias:2]"]
    state, fold, recipe = prepared(tiny(*overrides, "schedule=exponential", "schedule.gamma=0.5"))
    base = {id(p): group["lr"] for group in state.optimizer.param_groups for p in group["params"]}
    fit(state, fold, recipe)
    now = {id(p): group["lr"] for group in state.optimizer.param_groups for p in group["params"]}
    named = dict(state.model.named_parameters())
    first, last = (rates[id(named["classifier.4.weight"])] for rates in (base, now))
    assert 0.2 < last / first < 0.5
    for name, parameter in named.items():
        if parameter.dim() > 1:
            factor = 0.1 if name.startswith("features") else 1.0
            assert now[id(parameter)] == pytest.approx(factor * last)
            assert base[id(parameter)] == pytest.approx(first)
    pair = (named["features.0.bias"], named["classifier.4.bias"])
    assert now[id(pair[0])] == pytest.approx(now[id(pair[1])])
