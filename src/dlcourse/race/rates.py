"""The learning rates of a race: chosen for each surface and optimizer.

They are rates with which an optimizer does well and its character is seen, found by trying 1, 2, 3,
5 and 7 times powers of ten. Momentum and Nesterov's method have the same one, and so have Adam,
AMSGrad and AdamW, so that only the rule differs.
"""

OPTIMIZER_ORDER = (
    "gd", "sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "amsgrad",
    "adamw", "nadam", "sam", "lbfgs",
)  # fmt: skip
"""The optimizers of ``optim=all``, in the order of a course; a user's own come after them."""

RATES: dict[str, dict[str, float]] = {
    "ravine": {
        "gd": 0.09, "sgd": 0.09, "momentum": 0.02, "nesterov": 0.02, "sam": 0.02, "adagrad": 1.0,
        "adadelta": 30.0, "rmsprop": 0.1, "adam": 0.2, "amsgrad": 0.2, "adamw": 0.2, "nadam": 0.2,
        "lbfgs": 1.0,
    },
    "saddle": {
        "gd": 0.1, "sgd": 0.1, "momentum": 0.1, "nesterov": 0.1, "sam": 0.1, "adagrad": 0.5,
        "adadelta": 20.0, "rmsprop": 0.05, "adam": 0.1, "amsgrad": 0.1, "adamw": 0.1, "nadam": 0.1,
        "lbfgs": 1.0,
    },
    "rosenbrock": {
        "gd": 0.002, "sgd": 0.002, "momentum": 0.001, "nesterov": 0.001, "sam": 0.0005,
        "adagrad": 1.0, "adadelta": 0.5, "rmsprop": 0.01, "adam": 0.1, "amsgrad": 0.1,
        "adamw": 0.1, "nadam": 0.05, "lbfgs": 1.0,
    },
    "beale": {
        "gd": 0.02, "sgd": 0.02, "momentum": 0.005, "nesterov": 0.005, "sam": 0.002,
        "adagrad": 1.0, "adadelta": 5.0, "rmsprop": 0.05, "adam": 0.2, "amsgrad": 0.2,
        "adamw": 0.2, "nadam": 0.2, "lbfgs": 1.0,
    },
    "himmelblau": {
        "gd": 0.01, "sgd": 0.01, "momentum": 0.005, "nesterov": 0.005, "sam": 0.005,
        "adagrad": 0.5, "adadelta": 7.0, "rmsprop": 0.1, "adam": 0.3, "amsgrad": 0.3,
        "adamw": 0.3, "nadam": 0.3, "lbfgs": 1.0,
    },
}  # fmt: skip

DEFAULTS: dict[str, dict[str, str]] = {"lbfgs": {"max_iter": "3"}}
"""Other options in a race: one step of L-BFGS is up to 3 iterations instead of 20."""
