"""The update rules of more optimizers by hand, on the quadratic of ``references.optim``."""

import math

import numpy as np

STEPS = 6
CURVATURE = np.array([1.0, 4.0, 0.3])
START = np.array([1.0, -2.0, 0.5])


def gradient(w):
    """Return the gradient of the sum of CURVATURE w^2 / 2."""
    return CURVATURE.reshape(-1, *[1] * (w.ndim - 1)) * w


def radam(o):
    w, m, s = START.copy(), 0, 0
    b1, b2 = o["betas"]
    longest = 2 / (1 - b2) - 1
    for t in range(1, STEPS + 1):
        g = gradient(w)
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * g**2
        length = longest - 2 * t * b2**t / (1 - b2**t)
        step = m / (1 - b1**t)
        if length > 5:
            top = (length - 4) * (length - 2) * longest
            step = step * math.sqrt(top / ((longest - 4) * (longest - 2) * length))
            step = step * math.sqrt(1 - b2**t) / (np.sqrt(s) + o["eps"])
        w = w - o["lr"] * step
    return w


def adamax(o):
    w, m, u = START.copy(), 0, 0
    b1, b2 = o["betas"]
    for t in range(1, STEPS + 1):
        g = gradient(w)
        m = b1 * m + (1 - b1) * g
        u = np.maximum(b2 * u, np.abs(g) + o["eps"])
        w = w - o["lr"] / (1 - b1**t) * m / u
    return w


def adafactor(o, start=START):
    w = start.copy()
    rows = columns = square = 0
    for t in range(1, STEPS + 1):
        g = gradient(w)
        rate = max(o["smallest_scale"], np.sqrt((w**2).mean())) * min(o["lr"], 1 / math.sqrt(t))
        w = w * (1 - o["lr"] * o["weight_decay"])
        new = t ** o["beta2_decay"]
        if w.ndim > 1:
            rows = (1 - new) * rows + new * (g**2).mean(1, keepdims=True)
            columns = (1 - new) * columns + new * (g**2).mean(0, keepdims=True)
            square = rows * columns / rows.mean()
        else:
            square = (1 - new) * square + new * g**2
        step = g / np.sqrt(square)
        step = step / max(1, np.sqrt((step**2).mean()) / o["max_update"])
        w = w - rate * step
    return w


def rprop(o):
    w, before, size = START.copy(), np.zeros(3), np.full(3, o["lr"])
    for _ in range(STEPS):
        g = gradient(w)
        factors = {1: o["etas"][1], -1: o["etas"][0], 0: 1.0}
        signs = np.sign(g * before)
        size = np.clip(size * [factors[int(s)] for s in signs], *o["step_sizes"])
        g = np.where(signs < 0, 0, g)
        w = w - np.sign(g) * size
        before = g
    return w


def asgd(o):
    """Return the mean of the weights from step t0 on."""
    w, mean, rate, share = START.copy(), START.copy(), o["lr"], 1.0
    for t in range(1, STEPS + 1):
        g = gradient(w)
        w = w * (1 - o["lambd"] * rate) - rate * g
        mean = mean + (w - mean) * share
        rate = o["lr"] / (1 + o["lambd"] * o["lr"] * t) ** o["alpha"]
        share = 1 / max(1, t - o["t0"])
    return mean


def lion(o):
    w, m = START.copy(), 0
    b1, b2 = o["betas"]
    for _ in range(STEPS):
        g = gradient(w)
        direction = np.sign(b1 * m + (1 - b1) * g) + o["weight_decay"] * w
        w = w - o["lr"] * direction
        m = b2 * m + (1 - b2) * g
    return w


def schedule_free(o):
    """Return the mean x of the weights z, by the paper's equations."""
    z, x, s, total = START.copy(), START.copy(), 0, 0.0
    b1, b2 = o["betas"]
    for t in range(1, STEPS + 1):
        y = (1 - b1) * z + b1 * x
        step = gradient(y)
        if o["variant"] == "adamw":
            s = b2 * s + (1 - b2) * step**2
            step = step / (np.sqrt(s / (1 - b2**t)) + o["eps"])
        z = z - o["lr"] * (step + o["weight_decay"] * y)
        weight = t ** o["r"] * o["lr"] ** o["weight_lr_power"]
        total += weight
        x = x + weight / total * (z - x)
    return x
