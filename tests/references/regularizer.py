"""How far every regularizer is from its sum, and from scikit-learn's linear models."""

import numpy as np
import torch
from references.row import Row
from sklearn import linear_model
from torch import nn

from dlcourse.engine.instantiate import build

STRENGTH = 0.05


def made(compose, name, *more):
    """Return a regularizer with further settings of its own."""
    overrides = [f"regularizer.{name}.{setting}" for setting in more]
    return build(compose(f"regularizer=[{name}]", *overrides)["regularizer"][name])


def network():
    """Return a network whose norms and biases are not 0 or 1."""
    torch.manual_seed(0)
    convolution = [nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.Flatten()]
    model = nn.Sequential(*convolution, nn.Linear(12, 4), nn.Linear(4, 2)).double()
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model


def weights(model, all_parameters):
    """Return the penalised weights: those of matrices and filters, or all."""
    chosen = [p for p in model.parameters() if all_parameters or p.dim() > 1]
    return np.concatenate([p.detach().numpy().ravel() for p in chosen])


def summed(name, formula, *more):
    """Return a deviation from ``formula(w)`` times the strength."""

    def deviation(compose):
        model, worst = network(), 0.0
        for everything in (False, True):
            overrides = (f"strength={STRENGTH}", f"all_parameters={everything}", *more)
            ours = made(compose, name, *overrides)(model)
            worst = max(
                worst, abs(float(ours.detach()) - STRENGTH * formula(weights(model, everything)))
            )
        return worst

    return deviation


def stationary(name, solver, scale, *more):
    """Return how far scikit-learn's solution is from a minimum of our penalised squared error.

    scale: of the squared error's sum, 1 / 2 or 1 / (2 n). A weight at 0 may have a slope of the
    squared error up to the penalty's slope next to 0.
    """

    def deviation(compose):
        generator = np.random.default_rng(0)
        inputs = generator.normal(size=(40, 6))
        targets = inputs @ [2.0, -1, 0.5, 0, 0, 0] + 0.1 * generator.normal(size=40)
        solution = solver.fit(inputs, targets).coef_
        layer = nn.Linear(6, 1, bias=False).double()
        layer.weight.data = torch.tensor(solution[None])
        made(compose, name, f"strength={STRENGTH}", *more)(layer).backward()
        slope = 2 * scale(40) * inputs.T @ (inputs @ solution - targets)
        zero = solution == 0
        layer.weight.data.fill_(1e-9)
        limit = torch.autograd.grad(
            made(compose, name, f"strength={STRENGTH}", *more)(layer), layer.weight
        )[0].numpy()[0]
        inside = np.abs(slope[zero]) - limit[zero]
        outside = np.abs(slope + layer.weight.grad.numpy()[0])[~zero]
        assert zero.any() == (name != "l2")
        return max(outside.max(), inside.max(initial=0.0))

    return deviation


def either(*deviations):
    """Return the largest of several deviations."""
    return lambda compose: max(deviation(compose) for deviation in deviations)


def none(compose):
    """Return the number of regularizers of the config."""
    return float(len(compose("regularizer=none")["regularizer"]))


def max_norm(compose):
    """Compare with torch.renorm, unit by unit, and with clipping where all parameters count."""
    model, before = network(), network()
    made(compose, "max_norm", "limit=2.5")(model)
    worst, shortened = 0.0, 0
    for ours, old in zip(model.parameters(), before.parameters(), strict=True):
        theirs = old.detach()
        if old.dim() > 1:
            theirs = torch.renorm(theirs, p=2, dim=0, maxnorm=2.5)
            shortened += int((old.flatten(1).norm(dim=1) > 2.5).sum())
        worst = max(worst, float((ours.detach() - theirs).abs().max()))
    assert 0 < shortened < 9
    made(compose, "max_norm", "limit=0.5", "all_parameters=true")(model)
    theirs = before[1].weight.detach().numpy().clip(-0.5, 0.5)
    return max(worst, np.abs(model[1].weight.detach().numpy() - theirs).max())


lasso = linear_model.Lasso(alpha=STRENGTH, fit_intercept=False, tol=1e-14)
ridge = linear_model.Ridge(alpha=STRENGTH, fit_intercept=False)
mixed = linear_model.ElasticNet(alpha=STRENGTH, l1_ratio=0.7, fit_intercept=False, tol=1e-14)

ROWS = {
    "none": Row("nothing is added", none, 0),
    "l1": Row(
        "sum |w|; scikit-learn's Lasso is a minimum with it",
        either(
            summed("l1", lambda w: np.abs(w).sum()),
            stationary("l1", lasso, lambda n: 1 / (2 * n)),
        ),
        1e-9,
    ),
    "l2": Row(
        "sum w^2 / 2; scikit-learn's Ridge is a minimum with it",
        either(summed("l2", lambda w: (w**2).sum() / 2), stationary("l2", ridge, lambda n: 1 / 2)),
        1e-9,
    ),
    "elastic_net": Row(
        "its sum; scikit-learn's ElasticNet is a minimum with it",
        either(
            summed(
                "elastic_net",
                lambda w: 0.7 * np.abs(w).sum() + 0.3 * (w**2).sum() / 2,
                "ratio=0.7",
            ),
            stationary("elastic_net", mixed, lambda n: 1 / (2 * n), "ratio=0.7"),
        ),
        1e-9,
    ),
    "lp": Row(
        "sum |w|^p for p = 1, 1.5 and 4",
        either(
            *(summed("lp", lambda w, p=p: (np.abs(w) ** p).sum(), f"p={p}") for p in (1, 1.5, 4))
        ),
        1e-9,
    ),
    "max_norm": Row("torch.renorm of every unit's weights", max_norm, 1e-6),
}
