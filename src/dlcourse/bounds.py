"""What every key of a config may hold: one table by key name.

A test fails when a file in ``configs/`` has a number, a word or a truth value that is not here.
"""

from typing import Any

from dlcourse.kind import Device, Flag, Kind, Number, Numbers, Text, Texts, Word

ACTIVATIONS = (
    "identity", "heaviside", "sign", "sigmoid", "tanh", "arctan", "relu", "leaky_relu", "rrelu",
    "prelu", "elu", "gelu", "gelu_tanh", "softplus", "softsign", "isru", "isrlu", "sqnl",
    "bipolar_relu", "gaussian", "saturation", "silu", "selu",
)  # fmt: skip
NORMS = ("none", "batch", "layer", "instance", "group")
POOLS = ("max", "average", "sum", "stochastic")


def share(example: float, *, below: bool = False) -> Number:
    """Return the bounds of a share or a probability: from 0 to 1, perhaps without 1 itself."""
    return Number(0, 1, example, below=below)


def positive(example: float, high: float = 1000) -> Number:
    """Return the bounds of a number above 0."""
    return Number(0, high, example, above=True)


def counted(low: int, high: int, example: int | str, **more: Any) -> Number:
    """Return the bounds of a whole number."""
    return Number(low, high, example, whole=True, **more)


SEED = counted(0, 2**32 - 1, 0)
MANY = 1_000_000_000

BOUNDS: dict[str, Kind] = {
    # the run
    "seed": SEED,
    "max_epochs": counted(1, 1_000_000, 50),
    "batch_size": counted(1, MANY, 64, words=("full",)),
    "monitor": Text("val/accuracy"),
    "mode": Word(("max", "min")),
    "resume": Text("outputs/<date>/<run>", empty=True),
    "trust": Texts("[my_model]"),
    # data
    "root": Text("data"),
    "examples": counted(2, MANY, 1000, empty=True),
    "random_labels": share(0.5),
    "standardize": Word(("channel", "pixel", "none")),
    "size": counted(1, 4096, 28),
    "download": Flag(),
    "folder": Text("."),
    "channels": counted(1, 3, 3),
    "test_fraction": Number(0, 1, 0.2, above=True, below=True),
    "train_examples": counted(2, 10_000_000, 1000),
    "test_examples": counted(2, 10_000_000, 1000),
    "data.noise": Number(0, 1000, 0.1),
    # model
    "widths": Numbers(counted(1, 1_000_000, 128), 0, 1000, "[256,128]"),
    "activation": Word(ACTIVATIONS),
    "norm": Word(NORMS),
    "pool": Word(POOLS),
    "dropout": share(0.5, below=True),
    # optim
    "lr": positive(0.001),
    "momentum": share(0.9, below=True),
    "dampening": share(0.0),
    "nesterov": Flag(),
    "amsgrad": Flag(),
    "weight_decay": Number(0, 1000, 0.0001),
    "decay_all": Flag(),
    "fused": Flag(),
    "betas": Numbers(share(0.9, below=True), 2, 2, "[0.9,0.999]"),
    "alpha": share(0.99, below=True),
    "rho": share(0.9, below=True),
    "eps": positive(1e-8, 1),
    "lr_decay": Number(0, 1000, 0.0),
    "initial_accumulator_value": Number(0, 1000, 0.0),
    "momentum_decay": share(0.004),
    # schedule
    "warmup": Number(0, 1_000_000, 2.0),
    "step_size": counted(1, 1_000_000, 10),
    "gamma": Number(0, 1, 0.5, above=True),
    "rate": Number(0, 1000, 0.1),
    "final": share(0.0),
    "schedule.patience": counted(0, 1_000_000, 5),
    # init, regularizer, augment, clip, loss, metric
    "init.std": Number(0, 1000, 0.01),
    "strength": Number(0, 1_000_000, 0.0001),
    "all_parameters": Flag(),
    "probability": share(0.5),
    "padding": counted(0, 512, 4),
    "noise.std": Number(0, 1000, 0.1),
    "max_norm": positive(1.0, 1_000_000),
    "max_value": positive(0.5, 1_000_000),
    "label_smoothing": share(0.1, below=True),
    "margin": positive(1.0),
    "k": counted(1, 1_000_000, 5),
    "training": Flag(),
    # stop, split, runtime
    "stop.patience": counted(1, 1_000_000, 10),
    "min_delta": Number(0, 1_000_000, 0.0),
    "fraction": share(0.2, below=True),
    "folds": counted(2, 1_000_000, 5),
    "device": Device(),
    "precision": Word(("fp32", "bf16", "fp16")),
    "threads": counted(1, 4096, 2, empty=True),
    "channels_last": Flag(),
    "compile": Flag(),
    "deterministic": Flag(),
}


def bounds_of(key: str) -> Kind | None:
    """Return what a dotted key may hold: the entry for its longest known ending, or None."""
    parts = key.split(".")
    endings = (".".join(parts[start:]) for start in range(len(parts)))
    return next((BOUNDS[ending] for ending in endings if ending in BOUNDS), None)
