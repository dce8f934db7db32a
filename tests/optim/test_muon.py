"""Muon orthogonalises matrices and filters, and leaves the rest to AdamW."""

import pytest
import torch
from conftest import prepared
from torch import nn

from dlcourse.build import build
from dlcourse.check import NOT_ARGUMENTS
from dlcourse.optim.muon import orthogonalize
from dlcourse.train.fit import fit


def made(cfg, parameters):
    return build(cfg.optim, *NOT_ARGUMENTS["optim"])([{"params": parameters, "weight_decay": 0.1}])


@pytest.mark.parametrize("shape", [(8, 8), (16, 4), (3, 10)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_it_moves_matrices_as_torch_does_up_to_bfloat16(shape, nesterov, compose):
    cfg = compose("optim=muon", f"optim.nesterov={nesterov}")
    start, goal = torch.randn(shape), torch.randn(shape)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    settings = {"lr": cfg.optim.lr, "momentum": cfg.optim.momentum, "nesterov": nesterov}
    reference = torch.optim.Muon([theirs], weight_decay=0.1, **settings)
    for optimizer, weight in ((made(cfg, [ours]), ours), (reference, theirs)):
        for _ in range(5):
            optimizer.zero_grad()
            (weight - goal).square().sum().backward()
            optimizer.step()
    assert (ours - theirs).norm() < 0.02 * (theirs - start).norm()


@pytest.mark.parametrize("shape", [(5, 5), (40, 10), (10, 40)])
def test_all_singular_values_become_about_one_and_directions_stay(shape):
    matrix = torch.randn(shape, dtype=torch.float64)
    u, s, vt = torch.linalg.svd(orthogonalize(matrix, 5), full_matrices=False)
    assert s.min() > 0.65
    assert s.max() < 1.25
    u0, _, vt0 = torch.linalg.svd(matrix, full_matrices=False)
    middle = u0.T @ u @ torch.diag(s) @ vt @ vt0.T
    torch.testing.assert_close(middle, torch.diag(middle.diagonal()), atol=1e-9, rtol=0)


def test_a_filter_moves_as_the_matrix_it_is_viewed_as(compose):
    cfg = compose("optim=muon")
    filters = nn.Parameter(torch.randn(4, 3, 2, 2))
    matrix = nn.Parameter(filters.detach().flatten(1).clone())
    gradient = torch.randn(4, 12)
    for weight in (filters, matrix):
        weight.grad = gradient.view_as(weight)
        made(cfg, [weight]).step()
    assert torch.equal(filters.flatten(1), matrix)


def test_vectors_and_single_rows_follow_adamw_at_a_rate_of_their_own(compose):
    cfg = compose("optim=muon", "optim.rest_lr=0.01")
    shapes = [(7,), (1, 7), (7, 1), (1, 5, 3), ()]
    ours = [nn.Parameter(torch.randn(shape)) for shape in shapes]
    theirs = [nn.Parameter(weight.detach().clone()) for weight in ours]
    settings = {"lr": 0.01, "betas": tuple(cfg.optim.betas), "eps": cfg.optim.eps}
    reference = torch.optim.AdamW(theirs, weight_decay=0.1, **settings)
    for optimizer, weights in ((made(cfg, ours), ours), (reference, theirs)):
        for _ in range(4):
            optimizer.zero_grad()
            sum(weight.square().sum() for weight in weights).backward()
            optimizer.step()
    for weight, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(weight, expected, rtol=1e-5, atol=1e-6)


def test_the_schedule_and_the_factors_scale_both_rates(tiny):
    words = ["model=mlp", "model.widths=[8]", "data.size=8", "optim=muon", "schedule=exponential"]
    state, fold, recipe = prepared(tiny(*words, "optim.rates=[output.*:0.5]", "stop=never"))
    fit(state, fold, recipe)
    factor = recipe.schedule(1 + 2 / 3, 2, [])
    rates = {tuple(p.shape): g["lr"] for g in state.optimizer.param_groups for p in g["params"]}
    assert len({round(rate / factor, 9) for rate in rates.values()}) == 4
    assert rates[10, 8] / factor == pytest.approx(0.01, rel=1e-3)
    assert rates[10,] / factor == pytest.approx(1.5e-4, rel=1e-3)
    assert rates[8, 64] / factor == pytest.approx(0.02, rel=1e-3)
