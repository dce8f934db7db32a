"""Every model against a library or a calculation by hand."""

import numpy as np
import torch
from references.model_cascade import CASCADE
from references.model_classic import CLASSIC
from references.model_modern import MODERN, arrays, gap, make
from references.row import Row


def linear(compose) -> float:
    model = make(compose, "linear", (3, 32, 32), 10)
    weights = arrays(model)
    assert weights["output.weight"].shape == (10, 3072)
    inputs = torch.randn(4, 3, 32, 32)
    flat = inputs.double().numpy().reshape(4, 3072)
    return gap(model(inputs), flat @ weights["output.weight"].T + weights["output.bias"])


def mlp(compose) -> float:
    model = make(compose, "mlp", (6,), 1, "model.widths=[4,3]", "model.activation=sigmoid")
    weights = list(arrays(model).values())
    assert sum(weight.size for weight in weights) == 47
    inputs = torch.randn(5, 6)
    values = inputs.double().numpy()
    for weight, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        values = 1 / (1 + np.exp(-(values @ weight.T + bias)))
    return gap(model(inputs), values @ weights[-2].T + weights[-1])


ROWS = {
    **CLASSIC,
    **MODERN,
    **CASCADE,
    "linear": Row("numpy, 10 x 3072 weights on CIFAR-10", linear, 1e-5),
    "mlp": Row("numpy, 6-4-3-1 with its 47 parameters", mlp, 1e-6),
}
