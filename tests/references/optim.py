"""How far every optimizer is from its update rule by hand, or from another solver's optimum."""

from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import torch
from references import optim_rules as rules
from references.optim_rules import CURVATURE, START, STEPS, gradient
from references.row import Row
from torch import nn
from torch.nn import functional as F

from dlcourse.engine.assemble import average_of
from dlcourse.engine.instantiate import build
from dlcourse.schema.validate import NOT_ARGUMENTS
from dlcourse.train.differentiate import in_one_pass
from dlcourse.train.update import plain_update


def descent(o):
    w = START.copy()
    for _ in range(STEPS):
        w = w - o["lr"] * gradient(w)
    return w


def heavy_ball(o):
    w, v = START.copy(), 0
    for _ in range(STEPS):
        v = o["momentum"] * v + gradient(w)
        w = w - o["lr"] * v
    return w


def nesterov(o):
    w, v = START.copy(), 0
    for _ in range(STEPS):
        g = gradient(w)
        v = o["momentum"] * v + g
        w = w - o["lr"] * (g + o["momentum"] * v)
    return w


def adagrad(o):
    w, s = START.copy(), 0
    for _ in range(STEPS):
        g = gradient(w)
        s = s + g**2
        w = w - o["lr"] * g / (np.sqrt(s) + o["eps"])
    return w


def adadelta(o):
    w, s, d = START.copy(), 0, 0
    for _ in range(STEPS):
        g = gradient(w)
        s = o["rho"] * s + (1 - o["rho"]) * g**2
        step = np.sqrt(d + o["eps"]) / np.sqrt(s + o["eps"]) * g
        d = o["rho"] * d + (1 - o["rho"]) * step**2
        w = w - o["lr"] * step
    return w


def rmsprop(o):
    w, s = START.copy(), 0
    for _ in range(STEPS):
        g = gradient(w)
        s = o["alpha"] * s + (1 - o["alpha"]) * g**2
        w = w - o["lr"] * g / (np.sqrt(s) + o["eps"])
    return w


def adam(o, *, rate="lr", decay=0.0, amsgrad=False):
    w, m, s, largest = START.copy(), 0, 0, 0
    b1, b2 = o["betas"]
    for t in range(1, STEPS + 1):
        g = gradient(w)
        w = w * (1 - o[rate] * decay)
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * g**2
        largest = np.maximum(largest, s) if amsgrad else s
        w = w - o[rate] * (m / (1 - b1**t)) / (np.sqrt(largest / (1 - b2**t)) + o["eps"])
    return w


def nadam(o):
    w, m, s, product = START.copy(), 0, 0, 1
    b1, b2 = o["betas"]
    for t in range(1, STEPS + 1):
        g = gradient(w)
        now = b1 * (1 - 0.5 * 0.96 ** (t * o["momentum_decay"]))
        later = b1 * (1 - 0.5 * 0.96 ** ((t + 1) * o["momentum_decay"]))
        product = product * now
        m = b1 * m + (1 - b1) * g
        s = b2 * s + (1 - b2) * g**2
        ahead = later * m / (1 - product * later) + (1 - now) * g / (1 - product)
        w = w - o["lr"] * ahead / (np.sqrt(s / (1 - b2**t)) + o["eps"])
    return w


def sharpness_aware(o):
    w, v = START.copy(), 0
    for _ in range(STEPS):
        g = gradient(w)
        g = gradient(w + o["rho"] * g / np.sqrt((g**2).sum()))
        v = o["momentum"] * v + g + o["weight_decay"] * w
        w = w - o["lr"] * v
    return w


def newton_schulz(matrix, steps):
    """Return the nearly orthogonal matrix of the quintic iteration, singular value by value."""
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    s = s / np.sqrt((s**2).sum())
    for _ in range(steps):
        s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
    return u @ np.diag(s) @ vt


class Quadratic(nn.Module):
    """A model whose loss is the sum of CURVATURE w^2 / 2 for any inputs."""

    def __init__(self, start=START):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(start))

    def forward(self, inputs):
        curvature = torch.tensor(CURVATURE).view(-1, *[1] * (self.weight.dim() - 1))
        return curvature * self.weight**2 / 2


def made(cfg, model):
    """Return the optimizer of a config with all parameters in one group."""
    groups = [
        {"params": list(model.parameters()), "weight_decay": cfg["optim"].get("weight_decay", 0)}
    ]
    return build(cfg["optim"], *NOT_ARGUMENTS["optim"])(groups)


def take_steps(optimizer, model, inputs, targets, loss, penalties=(), steps=STEPS):
    """Train with the optimizer's own step if it has one, otherwise with a plain step."""
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    state = SimpleNamespace(model=model, optimizer=optimizer, scaler=scaler, history=[])
    recipe = SimpleNamespace(
        loss=loss, penalties=penalties, constraints=[], clip=lambda model: None,
        autocast=nullcontext, differentiate=in_one_pass, update=plain_update,
    )  # fmt: skip
    for _ in range(steps):
        if hasattr(optimizer, "training_step"):
            optimizer.training_step(state, inputs, targets, recipe)
        else:
            optimizer.zero_grad()
            loss(model(inputs), targets).backward()
            optimizer.step()


def follow(cfg, start=START, steps=STEPS):
    """Return the weights after some steps of the optimizer of a config on the quadratic."""
    model, nothing = Quadratic(start), torch.zeros(1)
    take_steps(made(cfg, model), model, nothing, nothing, lambda o, t: o.sum(), steps=steps)
    return model.weight.detach().numpy()


def evaluated(cfg):
    """Return the weights that are evaluated after some steps of an optimizer with its average."""
    model, nothing = Quadratic(), torch.zeros(1)
    optimizer, average = made(cfg, model), average_of(cfg)
    take_steps(optimizer, model, nothing, nothing, lambda o, t: o.sum())
    state = SimpleNamespace(model=model, optimizer=optimizer, averaged=average.start(model))
    average.settle(state, None, None)
    return state.averaged.weight.numpy()


def means_on_the_quadratic(name, rule, *choices):
    """Return a deviation of the evaluated weights, the largest of several lists of overrides."""

    def deviation(compose):
        configs = [compose(f"optim={name}", *overrides) for overrides in choices]
        return max(np.abs(evaluated(cfg) - rule(cfg["optim"])).max() for cfg in configs)

    return deviation


def adafactor(compose):
    """Compare a vector and a matrix, whose second moments are factored."""
    cfg = compose("optim=adafactor", "optim.lr=0.1", "optim.weight_decay=0.1")
    starts = START, np.random.default_rng(0).normal(size=(3, 4))
    return max(
        np.abs(follow(cfg, one) - rules.adafactor(cfg["optim"], one)).max() for one in starts
    )


def on_the_quadratic(name, rule, *overrides):
    """Return a deviation: the largest difference from the update rule by hand."""

    def deviation(compose):
        cfg = compose(f"optim={name}", *overrides)
        return np.abs(follow(cfg) - rule(cfg["optim"])).max()

    return deviation


def muon(compose):
    """Compare tall and wide matrices, a filter, and a vector, which AdamW updates."""
    cfg = compose("optim=muon", "optim.weight_decay=0.1")
    o, worst = cfg["optim"], 0.0
    for shape in ((3, 2), (3, 7), (3, 2, 2, 2)):
        start = np.random.default_rng(0).normal(size=shape)
        w, m = start.reshape(3, -1), 0
        for _ in range(STEPS):
            g = CURVATURE[:, None] * w
            m = o["momentum"] * m + (1 - o["momentum"]) * g
            ahead = (1 - o["momentum"]) * g + o["momentum"] * m
            size = o["lr"] * np.sqrt(max(1, w.shape[0] / w.shape[1]))
            w = w * (1 - o["lr"] * o["weight_decay"])
            w = w - size * newton_schulz(ahead, o["newton_schulz_steps"])
        worst = max(worst, np.abs(follow(cfg, start) - w.reshape(shape)).max())
    return max(worst, np.abs(follow(cfg) - adam(o, rate="rest_lr", decay=o["weight_decay"])).max())


def classified():
    """Return inputs (60, 4) and classes (60,) that are not linearly separable."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 4, generator=generator)
    return inputs, (inputs[:, :3] + torch.randn(60, 3, generator=generator)).argmax(1)


def penalty(layer):
    return 0.05 * layer.weight.square().sum()


def lbfgs_ends(compose, steps, *overrides):
    """Return the weights (12,) of a classifier by our L-BFGS, and by torch's own loop."""
    cfg, (inputs, classes) = compose("optim=lbfgs", *overrides), classified()
    ours, theirs = nn.Linear(4, 3, bias=False), nn.Linear(4, 3, bias=False)
    for layer in (ours, theirs):
        nn.init.ones_(layer.weight)
    take_steps(made(cfg, ours), ours, inputs, classes, F.cross_entropy, [penalty], steps=steps)

    keys = ("lr", "max_iter", "history_size", "tolerance_grad", "tolerance_change")
    search = "strong_wolfe" if cfg["optim"]["line_search_fn"] == "strong_wolfe" else None
    settings = {key: cfg["optim"][key] for key in keys}
    optimizer = torch.optim.LBFGS(theirs.parameters(), line_search_fn=search, **settings)

    def closure():
        optimizer.zero_grad()
        value = F.cross_entropy(theirs(inputs), classes) + penalty(theirs)
        value.backward()
        return value

    for _ in range(steps):
        optimizer.step(closure)
    return (layer.weight.detach().flatten().numpy() for layer in (ours, theirs))


def lbfgs(compose):
    """Equal torch's own loop to the last bit; compare the end with SciPy's optimum."""
    from scipy.optimize import minimize

    inputs, classes = classified()

    def objective(flat):
        layer = nn.Linear(4, 3, bias=False).double()
        layer.weight.data = torch.tensor(flat).view(3, 4)
        value = F.cross_entropy(layer(inputs.double()), classes) + penalty(layer)
        (slope,) = torch.autograd.grad(value, layer.weight)
        return value.item(), slope.flatten().numpy()

    for overrides in ((), ("optim.line_search_fn=none", "optim.lr=0.3", "optim.max_iter=4")):
        ours, theirs = lbfgs_ends(compose, 3, *overrides)
        assert (ours == theirs).all()
    best = minimize(objective, np.zeros(12), jac=True, tol=1e-12)
    ours, _ = lbfgs_ends(compose, 10)
    return np.abs(ours - best.x).max()


class Fixed(nn.Module):
    """A model that is linear in its inputs, in double precision."""

    def __init__(self, inputs, outputs, *, bias=True):
        super().__init__()
        self.output = nn.Linear(inputs, outputs, bias=bias).double()

    def features(self, inputs):
        return inputs

    def forward(self, inputs):
        return self.output(inputs)


def closed_form(compose):
    """Compare with numpy's least squares and scikit-learn's ridge, with and without a bias."""
    from sklearn.linear_model import Ridge

    random = np.random.default_rng(0)
    worst = 0.0
    for examples, dependent in ((50, False), (50, True), (4, False)):
        x = random.normal(size=(examples, 6)) + 3
        x[:, 5] = x[:, 4] if dependent else x[:, 5]
        t = x @ random.normal(size=(6, 2)) + random.normal(size=(examples, 2)) + 5
        for bias in (True, False):
            for ridge in (0.0, 0.7):
                model = Fixed(6, 2, bias=bias)
                optimizer = made(compose("optim=closed_form", f"optim.ridge={ridge}"), model)
                inputs, targets = torch.tensor(x), torch.tensor(t)
                take_steps(optimizer, model, inputs, targets, F.mse_loss, steps=1)
                if ridge:
                    solution = Ridge(alpha=ridge, fit_intercept=bias).fit(x, t).coef_
                else:
                    centre = (lambda a, b=bias: a - a.mean(0)) if bias else (lambda a: a)
                    solution = np.linalg.lstsq(centre(x), centre(t), rcond=None)[0].T
                worst = max(worst, np.abs(model.output.weight.detach().numpy() - solution).max())
                rest = (model(inputs) - targets).mean(0).abs().max().item() if bias else 0.0
                worst = max(worst, rest)  # a bias leaves residuals of mean 0
    return worst


def decayed(o):
    return adam(o, decay=o["weight_decay"])


def strict(o):
    return adam(o, amsgrad=True)


HAND = "its rule by hand on a quadratic, 6 steps"
FALLING = ("optim.betas=[0.9,0.5]", "optim.lr=0.3")  # the second moment falls, and stays
ROWS = {
    "gd": Row(HAND, on_the_quadratic("gd", descent), 1e-9),
    "sgd": Row(HAND, on_the_quadratic("sgd", descent), 1e-9),
    "momentum": Row(HAND, on_the_quadratic("momentum", heavy_ball), 1e-9),
    "nesterov": Row(HAND, on_the_quadratic("nesterov", nesterov), 1e-9),
    "adagrad": Row(HAND, on_the_quadratic("adagrad", adagrad), 1e-9),
    "adadelta": Row(HAND, on_the_quadratic("adadelta", adadelta), 1e-9),
    "rmsprop": Row(HAND, on_the_quadratic("rmsprop", rmsprop), 1e-9),
    "adam": Row(HAND, on_the_quadratic("adam", adam), 1e-9),
    "amsgrad": Row(HAND, on_the_quadratic("amsgrad", strict, *FALLING), 1e-9),
    "adamw": Row(HAND, on_the_quadratic("adamw", decayed), 1e-9),
    "nadam": Row(HAND, on_the_quadratic("nadam", nadam), 1e-9),
    "radam": Row(HAND, on_the_quadratic("radam", rules.radam, "optim.betas=[0.9,0.99]"), 1e-9),
    "adamax": Row(HAND, on_the_quadratic("adamax", rules.adamax), 1e-9),
    "adafactor": Row(HAND + ", a vector and a matrix", adafactor, 1e-9),
    "rprop": Row(HAND, on_the_quadratic("rprop", rules.rprop, "optim.lr=0.5"), 1e-9),
    "asgd": Row(
        HAND + ", the mean of the weights",
        means_on_the_quadratic("asgd", rules.asgd, ["optim.t0=2"], ["optim.t0=0"]),
        1e-9,
    ),
    "lion": Row(HAND, on_the_quadratic("lion", rules.lion, "optim.weight_decay=0.1"), 1e-9),
    "schedule_free": Row(
        HAND + ", the mean of the weights",
        means_on_the_quadratic(
            "schedule_free", rules.schedule_free, ["optim.weight_decay=0.1"],
            ["optim.variant=sgd", "optim.lr=0.1", "optim.r=1"],
        ),
        1e-9,
    ),
    "sam": Row(HAND, on_the_quadratic("sam", sharpness_aware, "optim.weight_decay=0.1"), 1e-9),
    "muon": Row(HAND + ", singular value by singular value", muon, 1e-9),
    "lbfgs": Row("torch.optim.LBFGS to the last bit, SciPy's optimum", lbfgs, 1e-3),
    "closed_form": Row("numpy lstsq, scikit-learn Ridge", closed_form, 1e-9),
}  # fmt: skip
