"""Every optimizer follows its update rule, written out by hand, on a quadratic."""

import numpy as np
import pytest
import torch
from conftest import options
from torch import nn

from dlcourse.build import build
from dlcourse.check import NOT_ARGUMENTS

STEPS = 6
CURVATURE = np.array([1.0, 4.0, 0.3])
START = np.array([1.0, -2.0, 0.5])


def gradient(w):
    """Return the gradient of the sum of CURVATURE w^2 / 2."""
    return CURVATURE * w


def descent(o):
    w = START.copy()
    for _ in range(STEPS):
        w = w - o.lr * gradient(w)
    return w


def heavy_ball(o):
    w, v = START.copy(), 0
    for _ in range(STEPS):
        v = o.momentum * v + gradient(w)
        w = w - o.lr * v
    return w


def nesterov(o):
    w, v = START.copy(), 0
    for _ in range(STEPS):
        g = gradient(w)
        v = o.momentum * v + g
        w = w - o.lr * (g + o.momentum * v)
    return w


def adagrad(o):
    w, s = START.copy(), 0
    for _ in range(STEPS):
        g = gradient(w)
        s = s + g**2
        w = w - o.lr * g / (np.sqrt(s) + o.eps)
    return w


def adadelta(o):
    w, s, d = START.copy(), 0, 0
    for _ in range(STEPS):
        g = gradient(w)
        s = o.rho * s + (1 - o.rho) * g**2
        step = np.sqrt(d + o.eps) / np.sqrt(s + o.eps) * g
        d = o.rho * d + (1 - o.rho) * step**2
        w = w - o.lr * step
    return w


def rmsprop(o):
    w, s = START.copy(), 0
    for _ in range(STEPS):
        g = gradient(w)
        s = o.alpha * s + (1 - o.alpha) * g**2
        w = w - o.lr * g / (np.sqrt(s) + o.eps)
    return w


def adam(o, *, decay=0.0, amsgrad=False):
    w, m, s, largest = START.copy(), 0, 0, 0
    b1, b2 = o.betas
    for t in range(1, STEPS + 1):
        g = gradient(w)
        w = w * (1 - o.lr * decay)
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * g**2
        largest = np.maximum(largest, s) if amsgrad else s
        w = w - o.lr * (m / (1 - b1**t)) / (np.sqrt(largest / (1 - b2**t)) + o.eps)
    return w


def nadam(o):
    w, m, s, product = START.copy(), 0, 0, 1
    b1, b2 = o.betas
    for t in range(1, STEPS + 1):
        g = gradient(w)
        now = b1 * (1 - 0.5 * 0.96 ** (t * o.momentum_decay))
        later = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * o.momentum_decay))
        product = product * now
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * g**2
        ahead = later * m / (1 - product * later) + (1 - now) * g / (1 - product)
        w = w - o.lr * ahead / (np.sqrt(s / (1 - b2**t)) + o.eps)
    return w


RULES = {
    "gd": descent,
    "sgd": descent,
    "momentum": heavy_ball,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "adadelta": adadelta,
    "rmsprop": rmsprop,
    "adam": adam,
    "amsgrad": lambda o: adam(o, amsgrad=True),
    "adamw": lambda o: adam(o, decay=o.weight_decay),
    "nadam": nadam,
}


def follow(cfg, steps=STEPS):
    """Return where the optimizer of a config arrives from START."""
    w = nn.Parameter(torch.tensor(START))
    group = {"params": [w], "weight_decay": cfg.optim.weight_decay}
    optimizer = build(cfg.optim, *NOT_ARGUMENTS["optim"])([group])
    for _ in range(steps):
        optimizer.zero_grad()
        (torch.tensor(CURVATURE) * w**2 / 2).sum().backward()
        optimizer.step()
    return w.detach().numpy()


def test_every_optimizer_has_a_rule_here():
    assert RULES.keys() == set(options("optim"))


@pytest.mark.parametrize("name", RULES)
def test_an_optimizer_follows_its_rule(name, compose):
    cfg = compose(f"optim={name}")
    np.testing.assert_allclose(follow(cfg), RULES[name](cfg.optim), rtol=1e-9)


def test_the_comparison_sees_a_rule_that_is_wrong(compose):
    cfg = compose("optim=adam")
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(follow(cfg), adam(cfg.optim, decay=0.01), rtol=1e-9)


def test_amsgrad_differs_from_adam_once_gradients_fall(compose):
    far = compose("optim=amsgrad", "optim.betas=[0.9,0.5]", "optim.lr=0.3")
    near = compose("optim=adam", "optim.betas=[0.9,0.5]", "optim.lr=0.3")
    assert not np.allclose(follow(far), follow(near))
    np.testing.assert_allclose(follow(far), adam(far.optim, amsgrad=True), rtol=1e-9)
