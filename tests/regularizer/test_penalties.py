"""Penalties and constraints; their sums are in ``tests/references/regularizer.py``."""

import pytest
import torch
from conftest import options
from torch import nn

from dlcourse.engine.instantiate import build


def make(compose, name, *more):
    options = [f"regularizer.{name}.{option}" for option in more]
    return build(compose(f"regularizer=[{name}]", *options)["regularizer"][name])


PENALTIES = [name for name in options("regularizer") if name not in ("none", "max_norm")]


def test_penalties_can_be_combined(compose):
    cfg = compose("regularizer=[l1,l2]", "regularizer.l2.strength=0.5")
    assert list(cfg["regularizer"]) == ["l1", "l2"]
    assert cfg["regularizer"]["l2"]["strength"] == 0.5


def test_regularizer_none_is_the_empty_choice_and_adds_nothing_to_others(compose):
    assert dict(compose("regularizer=none")["regularizer"]) == {}
    assert compose("regularizer=none") == compose()
    assert compose("regularizer=[none,l1]") == compose("regularizer=[l1]")


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_covers_biases_and_norms_only_with_all_parameters(name, compose):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    make(compose, name, "strength=1")(model).backward()
    touched = [parameter.grad is not None for parameter in model.parameters()]
    assert touched == [True, False, False, False, True, False]
    make(compose, name, "strength=1", "all_parameters=true")(model).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_has_gradient_0_at_zero_weights(name, compose):
    layer = nn.Linear(3, 2)
    nn.init.zeros_(layer.weight)
    penalty = make(compose, name)(layer)
    penalty.backward()
    assert penalty == 0
    assert layer.weight.grad.abs().max() == 0


def test_the_gradient_of_l2_is_strength_times_the_weight(compose):
    layer = nn.Linear(3, 2)
    make(compose, "l2", "strength=0.3")(layer).backward()
    torch.testing.assert_close(layer.weight.grad, 0.3 * layer.weight.detach())


@pytest.mark.parametrize(
    ("name", "more", "same", "strength"),
    [
        ("elastic_net", "ratio=1", "l1", 0.1),
        ("elastic_net", "ratio=0", "l2", 0.1),
        ("lp", "p=1", "l1", 0.1),
        ("lp", "p=2", "l2", 0.2),
    ],
)
def test_elastic_net_and_lp_contain_l1_and_l2(name, more, same, strength, compose):
    layer = nn.Linear(5, 4)
    ours = make(compose, name, "strength=0.1", more)(layer)
    torch.testing.assert_close(ours, make(compose, same, f"strength={strength}")(layer))


def test_max_norm_is_a_constraint_applied_after_the_step(compose):
    assert make(compose, "max_norm").func.after_step
    assert not any(hasattr(make(compose, name).func, "after_step") for name in PENALTIES)
    assert make(compose, "max_norm")(nn.Linear(2, 2)) is None


def test_max_norm_shortens_long_weight_vectors_and_keeps_their_direction(compose):
    layer = nn.Linear(6, 30)
    nn.init.normal_(layer.weight)
    before, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    make(compose, "max_norm", "limit=2.2")(layer)
    after = layer.weight.detach()
    short = before.norm(dim=1) <= 2.2
    assert 0 < short.sum() < 30
    assert torch.equal(after[short], before[short])
    torch.testing.assert_close(after.norm(dim=1)[~short], torch.full((30,), 2.2)[~short])
    torch.testing.assert_close(
        nn.functional.cosine_similarity(after, before), torch.ones(30), atol=1e-6, rtol=0
    )
    assert torch.equal(layer.bias, bias)


def test_max_norm_bounds_the_norm_of_a_whole_filter(compose):
    for layer, units in ((nn.Conv2d(3, 8, 5), 0), (nn.ConvTranspose2d(3, 8, 5), 1)):
        nn.init.ones_(layer.weight)
        make(compose, "max_norm", "limit=2")(layer)
        norms = layer.weight.detach().transpose(0, units).flatten(1).norm(dim=1)
        torch.testing.assert_close(norms, torch.full((8,), 2.0))


def test_max_norm_does_not_change_positions_norms_and_zero_weights(compose):
    class Token(nn.Module):
        def __init__(self):
            super().__init__()
            self.positions = nn.Parameter(torch.full((1, 10, 8), 5.0))
            self.norm = nn.LayerNorm(8)
            self.layer = nn.Linear(8, 3)

    model = Token()
    nn.init.constant_(model.norm.weight, 9.0)
    nn.init.zeros_(model.layer.weight)
    for everything in (False, True):
        make(compose, "max_norm", "limit=1", f"all_parameters={everything}")(model)
        assert (model.positions == 5).all()
        assert (model.layer.weight == 0).all()
        assert (model.norm.weight == (1 if everything else 9)).all()
