"""Muon orthogonalises matrices and filters, and leaves the rest to AdamW."""

import pytest
import torch
from conftest import prepared
from torch import nn

from dlcourse.engine.instantiate import build
from dlcourse.optim.muon import orthogonalize
from dlcourse.schema.validate import NOT_ARGUMENTS
from dlcourse.train.fit import fit


def made(cfg, parameters):
    return build(cfg["optim"], *NOT_ARGUMENTS["optim"])(
        [{"params": parameters, "weight_decay": 0.1}]
    )


@pytest.mark.parametrize("shape", [(8, 8), (16, 4), (3, 10)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_muon_updates_matrices_as_torch_up_to_bfloat16(shape, nesterov, compose):
    cfg = compose("optim=muon", f"optim.nesterov={nesterov}")
    start, goal = torch.randn(shape), torch.randn(shape)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    settings = {
        "lr": cfg["optim"]["lr"],
        "momentum": cfg["optim"]["momentum"],
        "nesterov": nesterov,
    }
    reference = torch.optim.Muon([theirs], weight_decay=0.1, **settings)
    for optimizer, weight in ((made(cfg, [ours]), ours), (reference, theirs)):
        for _ in range(5):
            optimizer.zero_grad()
            (weight - goal).square().sum().backward()
            optimizer.step()
    assert (ours - theirs).norm() < 0.02 * (theirs - start).norm()


@pytest.mark.parametrize("shape", [(5, 5), (40, 10), (10, 40)])
def test_orthogonalize_keeps_singular_vectors_and_makes_singular_values_about_1(shape):
    matrix = torch.randn(shape, dtype=torch.float64)
    u, s, vt = torch.linalg.svd(orthogonalize(matrix, 5), full_matrices=False)
    assert s.min() > 0.65
    assert s.max() < 1.25
    u0, _, vt0 = torch.linalg.svd(matrix, full_matrices=False)
    middle = u0.T @ u @ torch.diag(s) @ vt @ vt0.T
    torch.testing.assert_close(middle, torch.diag(middle.diagonal()), atol=1e-9, rtol=0)


def test_a_filter_is_updated_as_the_flattened_matrix(compose):
    cfg = compose("optim=muon")
    filters = nn.Parameter(torch.randn(4, 3, 2, 2))
    matrix = nn.Parameter(filters.detach().flatten(1).clone())
    gradient = torch.randn(4, 12)
    for weight in (filters, matrix):
        weight.grad = gradient.view_as(weight)
        made(cfg, [weight]).step()
    assert torch.equal(filters.flatten(1), matrix)


def test_vectors_and_single_rows_are_updated_by_adamw_with_rest_lr(compose):
    cfg = compose("optim=muon", "optim.rest_lr=0.01")
    shapes = [(7,), (1, 7), (7, 1), (1, 5, 3), ()]
    ours = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    theirs = [nn.Parameter(weight.detach().clone()) for weight in ours]
    settings = {"lr": 0.01, "betas": tuple(cfg["optim"]["betas"]), "eps": cfg["optim"]["eps"]}
    reference = torch.optim.AdamW(theirs, weight_decay=0.1, **settings)
    for optimizer, weights in ((made(cfg, ours), ours), (reference, theirs)):
        for _ in range(4):
            optimizer.zero_grad()
            sum(weight.square().sum() for weight in weights).backward()
            optimizer.step()
    for weight, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(weight, expected, rtol=1e-5, atol=1e-6)


def test_the_schedule_and_the_factors_scale_both_rates(tiny):
    overrides = [
        "model=mlp",
        "model.widths=[8]",
        "data.size=8",
        "optim=muon",
        "schedule=exponential",
    ]
    state, fold, recipe = prepared(tiny(*overrides, "optim.rates=[output.*:0.5]", "stop=never"))
    fit(state, fold, recipe)
    factor = recipe.schedule(1 + 2 / 3, 2, [])
    rates = {tuple(p.shape): g["lr"] for g in state.optimizer.param_groups for p in g["params"]}
    assert len({round(rate / factor, 9) for rate in rates.values()}) == 4
    assert rates[10, 8] / factor == pytest.approx(0.01, rel=1e-3)
    assert rates[10,] / factor == pytest.approx(1.5e-4, rel=1e-3)
    assert rates[8, 64] / factor == pytest.approx(0.02, rel=1e-3)


def steps(optimizer, weights, count=4):
    """Take steps that minimise the sum of the fourth powers of all weights."""
    for _ in range(count):
        optimizer.zero_grad()
        sum(weight.pow(4).sum() for weight in weights).backward()
        optimizer.step()


def copies(*shapes):
    torch.manual_seed(0)
    return [nn.Parameter(torch.randn(shape)) for shape in shapes]


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_with_rest_nesterov_the_rest_is_updated_as_by_torchs_sgd(decay, compose):
    overrides = ["optim.rest=nesterov", "optim.rest_lr=0.01", "optim.rest_momentum=0.8"]
    cfg = compose("optim=muon", *overrides)
    ours, theirs = copies((7,), (1, 5)), copies((7,), (1, 5))
    groups = [{"params": ours, "weight_decay": decay}]
    settings = {"lr": 0.01, "momentum": 0.8, "nesterov": True, "weight_decay": decay}
    steps(build(cfg["optim"], *NOT_ARGUMENTS["optim"])(groups), ours)
    steps(torch.optim.SGD(theirs, **settings), theirs)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-7)


def test_a_matrix_named_in_apart_is_updated_by_rest(tiny):
    overrides = ["model=mlp", "model.widths=[8]", "data.size=8", "optim=muon"]
    state, *_ = prepared(tiny(*overrides, "optim.apart=[output.*]"))
    own = {id(p) for g in state.optimizer.param_groups if g["matrices"] for p in g["params"]}
    assert own == {id(state.model.hidden[0].weight)}
    rates = {g["lr"] for g in state.optimizer.param_groups if not g["matrices"]}
    assert rates == {3e-4}


def test_matrices_updated_together_move_as_each_alone(compose):
    shapes = [(6, 4), (4, 6), (6, 4), (6, 2, 2), (6, 4)]
    together, alone = copies(*shapes), copies(*shapes)
    steps(made(compose("optim=muon"), together), together)
    for weight in alone:
        steps(made(compose("optim=muon"), [weight]), [weight])
    for a, b in zip(together, alone, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_renormalize_sets_the_norm_of_matrices_before_the_update(compose):
    cfg = compose("optim=muon", "optim.renormalize=true", "optim.lr=1e-9")
    weights = copies((9, 4), (4, 3, 2, 2))
    before = [weight.detach().clone() for weight in weights]
    steps(made(cfg, weights), weights, 1)
    for weight, old in zip(weights, before, strict=True):
        assert weight.norm().item() == pytest.approx(len(weight) ** 0.5, rel=1e-5)
        torch.testing.assert_close(weight / weight.norm(), old / old.norm())


def test_in_bf16_the_update_is_that_of_float32_up_to_rounding(compose):
    ends = []
    for precision in ("weights", "bf16"):
        (weight,) = copies((20, 30))
        start = weight.detach().clone()
        cfg = compose("optim=muon", f"optim.precision={precision}", "optim.lr=0.1")
        steps(made(cfg, [weight]), [weight], 1)
        assert weight.dtype == torch.float32
        ends.append(weight.detach() - start)
    exact, rounded = ends
    assert not torch.equal(exact, rounded)
    assert (exact - rounded).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize("rest", ["adamw", "nesterov"])
def test_learning_rates_may_be_tensors(rest, compose):
    ends = []
    for kind in (float, torch.tensor):
        weights = copies((5, 4), (7,))
        optimizer = made(compose("optim=muon", f"optim.rest={rest}"), weights)
        for group in optimizer.param_groups:
            group["lr"] = kind(group["lr"])
        steps(optimizer, weights)
        ends.append(weights)
    for a, b in zip(*ends, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
