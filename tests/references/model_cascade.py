"""Cascade-correlation's score against numpy."""

import numpy as np
import torch
from references.row import Row

from dlcourse.engine.instantiate import build
from dlcourse.model.cascade import candidate_scores, candidate_values


def cascade(compose):
    """Compare the score of tanh candidates, and its derivative by their weights."""
    random = np.random.default_rng(0)
    x, error = random.normal(size=(30, 5)), random.normal(size=(30, 2))
    model = build(compose("model=cascade", "model.units=2", "model.candidates=4")["model"])((3,), 2)
    model = model.double()
    ours = candidate_scores(candidate_values(model, torch.tensor(x)), torch.tensor(error))
    slope, offset = torch.autograd.grad(ours.sum(), list(model.candidates.parameters()))

    w, b = (parameter.detach().numpy() for parameter in model.candidates.parameters())
    value = np.tanh(x @ w.T + b)  # (30, 4)
    centred = error - error.mean(0)
    covariance = np.einsum("pc,po->co", value - value.mean(0), centred) / 30
    by_value = np.einsum("co,po->pc", np.sign(covariance), centred) / 30 * (1 - value**2)
    return max(
        np.abs(ours.detach().numpy() - np.abs(covariance).sum(1)).max(),
        np.abs(slope.numpy() - np.einsum("pc,pi->ci", by_value, x)).max(),
        np.abs(offset.numpy() - by_value.sum(0)).max(),
    )


CASCADE = {"cascade": Row("sum of |covariances| and its derivative in numpy", cascade, 1e-12)}
