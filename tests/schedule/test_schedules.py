"""Every schedule follows its formula, and PyTorch's scheduler of the same name."""

import math
import warnings
from functools import partial

import pytest
import torch
from conftest import options
from torch.optim import lr_scheduler

from dlcourse.build import build
from dlcourse.check import NOT_ARGUMENTS
from dlcourse.schedule.warmup import START, warmup

EPOCHS = 12
FORMULAS = {
    "constant": lambda s, t, n: 1.0,
    "step": lambda s, t, n: s.gamma ** math.floor(t / s.step_size),
    "exponential": lambda s, t, n: math.exp(math.log(s.gamma) * t),
    "inverse_time": lambda s, t, n: 1 / (1 + s.rate * t),
    "cosine": lambda s, t, n: s.final + (1 - s.final) * (1 + math.cos(math.pi * t / n)) / 2,
    "linear": lambda s, t, n: s.final + (1 - s.final) * (n - t) / n,
    "plateau": lambda s, t, n: 1.0,  # as long as scores rise; below for the rest
}
SETTINGS = {
    "step": ["schedule.step_size=3", "schedule.gamma=0.5"],
    "cosine": ["schedule.final=0.1"],
    "linear": ["schedule.final=0.2"],
}


def make(compose, name, *more):
    cfg = compose(f"schedule={name}", *SETTINGS.get(name, []), *more)
    return build(cfg.schedule, *NOT_ARGUMENTS["schedule"]), cfg.schedule


def test_every_schedule_has_a_formula_here():
    assert FORMULAS.keys() == set(options("schedule"))


@pytest.mark.parametrize("name", FORMULAS)
def test_a_schedule_follows_its_formula_at_every_step(name, compose):
    schedule, settings = make(compose, name)
    for step in range(10 * EPOCHS):
        epoch = step / 10
        scores = list(range(int(epoch)))
        expected = FORMULAS[name](settings, epoch, EPOCHS)
        assert schedule(epoch, EPOCHS, scores) == pytest.approx(expected, rel=1e-12)


TORCHS = {
    "step": lambda o, s: lr_scheduler.StepLR(o, s.step_size, s.gamma),
    "exponential": lambda o, s: lr_scheduler.ExponentialLR(o, s.gamma),
    "cosine": lambda o, s: lr_scheduler.CosineAnnealingLR(o, EPOCHS, eta_min=s.final),
    "linear": lambda o, s: lr_scheduler.LinearLR(o, 1.0, s.final, EPOCHS),
    "inverse_time": lambda o, s: lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + s.rate * t)),
}


@pytest.mark.parametrize("name", TORCHS)
def test_a_schedule_agrees_with_pytorchs_at_every_epoch(name, compose):
    schedule, settings = make(compose, name)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = TORCHS[name](optimizer, settings)
    for epoch in range(EPOCHS):
        assert schedule(epoch, EPOCHS, []) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("seed", range(5))
def test_plateau_agrees_with_pytorchs_on_random_scores(seed, compose):
    schedule, _ = make(compose, "plateau", "schedule.patience=1", "schedule.gamma=0.5")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = lr_scheduler.ReduceLROnPlateau(optimizer, "max", 0.5, 1, threshold=0, eps=0)
    scores = torch.rand(20, generator=torch.Generator().manual_seed(seed)).tolist()
    for epoch, score in enumerate(scores):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs.step(score)
        assert schedule(epoch + 1, 99, scores[: epoch + 1]) == optimizer.param_groups[0]["lr"]
    assert optimizer.param_groups[0]["lr"] < 1


@pytest.mark.parametrize("name", FORMULAS)
def test_warmup_climbs_and_then_gives_way_to_the_schedule(name, compose):
    bare, _ = make(compose, name)
    schedule = warmup(bare, 2.0)
    assert schedule(0, EPOCHS, []) == pytest.approx(START * bare(0, EPOCHS, []))
    assert schedule(1, EPOCHS, []) == pytest.approx((START + 1) / 2 * bare(0, EPOCHS, []))
    for epoch in (2, 3, 7.5):
        assert schedule(epoch, EPOCHS, []) == bare(epoch - 2, EPOCHS - 2, [])


def test_no_warmup_is_the_schedule_itself():
    schedule = partial(max, 0)
    assert warmup(schedule, 0.0) is schedule
