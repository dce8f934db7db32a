"""The bounds of every key of a config, in one table for each group.

A new option of a choice needs a line in its group's table; ``tests/contract/test_bounds.py`` lists
the missing lines. A user's own YAML declares its own bounds: see ``own_bounds``.
"""

from typing import Any

from dlcourse.schema.kinds import (
    AnyOptions,
    Code,
    Device,
    Duration,
    Factors,
    Flag,
    Function,
    Interval,
    Kind,
    NamedValues,
    Number,
    Numbers,
    OneLine,
    OneNumber,
    OneOf,
    SomeOf,
    Tags,
    Text,
    Texts,
    Transforms,
)

ACTIVATION_NAMES = (
    "identity", "heaviside", "sign", "sigmoid", "tanh", "arctan", "relu", "leaky_relu", "rrelu",
    "prelu", "elu", "gelu", "gelu_tanh", "softplus", "softsign", "isru", "isrlu", "sqnl",
    "bipolar_relu", "gaussian", "saturation", "silu", "selu", "maxout",
)  # fmt: skip
NORM_NAMES = ("none", "batch", "layer", "instance", "group")
MEASUREMENTS = ("gradients", "updates", "activations", "spectrum", "sharpness")
POOL_NAMES = ("max", "average", "sum", "stochastic")


def share(example: float, *, below: bool = False) -> Number:
    """Return the bounds of a fraction or a probability, 0 to 1; below: 1 itself is excluded."""
    return Number(0, 1, example, below=below)


def positive(example: float, high: float = 1000, **more: Any) -> Number:
    """Return the bounds of a number above 0 and at most ``high``."""
    return Number(0, high, example, above=True, **more)


def whole_number(low: int, high: int, example: int | str, **more: Any) -> Number:
    """Return the bounds of a whole number from ``low`` to ``high``."""
    return Number(low, high, example, whole=True, **more)


ACTIVATION = Function(
    ACTIVATION_NAMES,
    {
        "leaky_relu": {"slope": share(0.2)},
        "rrelu": {"lower": share(0.1), "upper": share(0.3)},
        "prelu": {"slope": share(0.1)},
        "elu": {"alpha": positive(0.3, 100)},
        "softplus": {"beta": positive(2.0, 100)},
        "isru": {"alpha": positive(3.0, 100)},
        "isrlu": {"alpha": positive(3.0, 100)},
        "saturation": {"bound": positive(2.0)},
        "maxout": {"pieces": whole_number(2, 100, 5)},
    },
)
SEED = whole_number(0, 2**32 - 1, 0)
LARGE_COUNT = 1_000_000_000

BOUNDS: dict[str, dict[str, Kind]] = {
    "": {
        "seed": SEED,
        "max_epochs": Number(0, 1_000_000, 50, above=True, in_float32=False),
        "max_time": Duration("30m"),
        "checkpoint_every": Duration("10m", steps=True),
        "batch_size": whole_number(1, LARGE_COUNT, 64, names=("full",)),
        "engine": OneOf(("separate", "together")),
        "accumulate": whole_number(1, LARGE_COUNT, 4),
        "steps_per_epoch": whole_number(1, LARGE_COUNT, 500, empty=True),
        "monitor": Text("val/accuracy"),
        "mode": OneOf(("max", "min")),
        "seeds": whole_number(1, 100_000, 5),
        "check": Flag(),
        "resume": Text("outputs/<date>/<run>", empty=True),
        "trust": Texts("[my_model]"),
        "note": OneLine("'first try'"),
        "tags": Tags("[baseline,paper]"),
        "random_streams": whole_number(1, 2, 2),
        "workers": whole_number(1, 4096, 2),
        "job_timeout": Duration("30m"),
    },
    "data": {
        "seed": SEED,
        "root": Text("data"),
        "reconstruct": Flag(),
        "examples": whole_number(2, LARGE_COUNT, 1000, empty=True),
        "random_labels": share(0.5),
        "at_most": whole_number(2, LARGE_COUNT, 100),
        "standardize": OneOf(("channel", "pixel", "none", "imagenet", "zca")),
        "zca_epsilon": Number(0, 1000, 1e-5),
        "size": whole_number(1, 4096, 28),
        "download": Flag(),
        "folder": Text("."),
        "memory": Number(0, 1_000_000, 4.0),
        "workers": whole_number(0, 1000, 2),
        "channels": OneNumber((1, 3)),
        "part": OneOf(("balanced", "letters", "digits", "byclass", "bymerge", "mnist")),
        "damaged": OneOf(("refuse", "skip")),
        "decoder": OneOf(("pillow", "torchvision")),
        "reduced_decode": Flag(),
        "fit": OneOf(("crop", "letterbox", "stretch")),
        "fill": whole_number(0, 255, 128),
        "test_fraction": Number(0, 1, 0.2, above=True, below=True, in_float32=False),
        "train_examples": whole_number(2, 10_000_000, 1000),
        "test_examples": whole_number(2, 10_000_000, 1000, empty=True),
        "noise": Number(0, 1000, 0.1),
        "spacing": OneOf(("random", "even")),
        "std": Number(0, 1000, 1.0),
        "gate": OneOf(("and", "or", "xor", "nand", "nor", "xnor")),
        "factor": Number(0, 1, 0.5, above=True, below=True, in_float32=False),
        "centers": whole_number(2, 1000, 3),
        "classes": whole_number(2, 1000, 2),
        "turns": positive(3.0, 100, in_float32=False),
        "weights": Numbers(Number(-1_000_000, 1_000_000, 2.0), 1, 1000, "[2,-3,0.5]"),
        "bias": Number(-1_000_000, 1_000_000, 1.0),
        "file": Text("table.csv"),
        "test_file": Text("test.csv", empty=True),
        "inputs": Text("x", empty=True),
        "targets": Text("y", empty=True),
        "layout": OneOf(("auto", "nhwc", "nchw")),
        "function": Code("my_module.load"),
        "path": Text("my_set"),
        "extra": Flag(),
        "fold": whole_number(0, 9, 3, empty=True),
        "name": Text("cifar10", empty=True),
        "train_split": Text("train"),
        "val_split": Text("validation", empty=True),
        "test_split": Text("test", empty=True),
        "label_column": Text("label", empty=True),
        "image_column": Text("image", empty=True),
        "options": AnyOptions("{noise: 0.1}"),
        "target": Texts("species", numbers=True, single=True),
        "features": Texts("[age,height]", empty=True, numbers=True),
        "exclude": Texts("[name]", numbers=True),
        "group": Text("patient", empty=True, numbers=True),
        "weight": Text("weight", empty=True, numbers=True),
        "id": Text("name", empty=True, numbers=True),
        "task": OneOf(("classification", "multilabel", "regression")),
        "labels": Text("labels.csv", empty=True),
        "separator": OneOf(("comma", "semicolon", "tab", "space")),
        "decimal": OneOf(("point", "comma")),
        "text": OneOf(("one_hot", "ordinal", "refuse")),
        "one_hot": Texts("[city]", numbers=True),
        "ordinal": NamedValues(Texts("[S,M,L]", numbers=True), "{size: [S,M,L]}", empty=True),
        "most_values": whole_number(1, 100_000, 50),
        "date_format": Text("%d.%m.%Y", empty=True),
        "date_parts": SomeOf(("days", "month", "weekday", "hour")),
        "missing": OneOf(("refuse", "drop", "mean", "median", "most_frequent")),
        "missing_values": Texts("[NA]", numbers=True),
        "numbers": OneOf(("auto", "float32")),
    },
    "model": {
        "widths": Numbers(whole_number(1, 1_000_000, 128), 0, 1000, "[256,128]"),
        "hidden": whole_number(1, 1_000_000, 256),
        "kernel": whole_number(1, 100, 4),
        "code": whole_number(1, 1_000_000, 32, empty=True),
        "upsampling": OneOf(("transposed", "resize")),
        "head": OneOf(("dense", "average")),
        "cell": OneOf(("rnn", "gru", "lstm")),
        "dilation": whole_number(1, 1000, 2),
        "padding": OneOf(("valid", "same")),
        "patch": whole_number(1, 4096, 4, empty=True),
        "heads": whole_number(1, 1000, 4),
        "positions": OneOf(("learned", "sinusoidal", "sinusoidal_1d")),
        "order": whole_number(0, 100, 3),
        "gamma": Number(0, 1_000_000, 0.5, above=True, empty=True),
        "alpha": Number(0, 1, 0.2, above=True),
        "name": Text("resnet18"),
        "weights": Text("DEFAULT", empty=True),
        "pretrained": Flag(),
        "options": NamedValues(None, "{drop_path_rate: 0.1}", empty=True),
        "freeze": whole_number(0, 1000, "backbone", names=("none", "backbone")),
        "size": whole_number(1, 4096, 224, empty=True),
        "activation": ACTIVATION,
        "conv_activation": Flag(),
        "norm": OneOf(NORM_NAMES),
        "pool": OneOf(POOL_NAMES),
        "dropout": share(0.5, below=True),
        "hidden_dropout": share(0.5, below=True),
        "width": whole_number(1, 100_000, 64),
        "depth": whole_number(1, 100_000, 20),
        "blocks": Numbers(whole_number(1, 10_000, 2), 4, 4, "[2,2,2,2]"),
        "bottleneck": Flag(),
        "convolutions": Numbers(whole_number(1, 10_000, 2), 5, 5, "[2,2,3,3,3]"),
        "skip": Flag(),
        "residual": Flag(),
        "scale": positive(0.11),
        "norm_momentum": Number(0, 1, 0.4, above=True),
        "norm_eps": Number(0, 1, 1e-12, above=True),
        "norm_weight": Flag(),
        "units": whole_number(1, 100_000, 24),
        "candidates": whole_number(1, 100_000, 8),
        "candidate_steps": whole_number(1, 1_000_000, 200),
        "output_steps": whole_number(1, 1_000_000, 200),
    },
    "init": {
        "examples": whole_number(2, LARGE_COUNT, 5000),
        "activation": ACTIVATION,
        "eps": positive(1e-8, 1),
        "run": Text("outputs/<date>/<run>", empty=True),
        "file": Text("weights.pth", empty=True),
        "strict": Flag(),
        "rename": NamedValues(Text("features.*"), "{encoder.*: features.*}", empty=True),
        "exclude": Texts("[fc.*]"),
        "rest": OneOf(("default", "dirac")),
        "value": Number(-1000, 1000, 0.01),
        "std": Number(0, 1000, 0.01),
        "low": Number(-1000, 1000, -0.05),
        "high": Number(-1000, 1000, 0.05),
    },
    "loss": {
        "class_weight": Numbers(
            Number(0, 1_000_000, 1.0), 1, 100_000, "balanced", names=("balanced",), empty=True
        ),
        "label_smoothing": share(0.1, below=True),
        "margin": positive(1.0),
        "gamma": Number(0, 100, 2.0),
        "alpha": Number(0, 1, 0.25, empty=True),
        "delta": positive(1.0, 1_000_000_000),
        "q": Number(0, 1, 0.9, above=True, below=True),
    },
    "regularizer": {
        "elastic_net.strength": Number(0, 1_000_000, 0.0001),
        "l1.strength": Number(0, 1_000_000, 0.0001),
        "l2.strength": Number(0, 1_000_000, 0.0001),
        "lp.strength": Number(0, 1_000_000, 0.0001),
        "elastic_net.ratio": share(0.5),
        "lp.p": Number(1, 100, 1.5),
        "max_norm.limit": positive(3.0, 1_000_000),
        "elastic_net.all_parameters": Flag(),
        "l1.all_parameters": Flag(),
        "l2.all_parameters": Flag(),
        "lp.all_parameters": Flag(),
        "max_norm.all_parameters": Flag(),
    },
    "augment": {
        "flip.probability": share(0.5),
        "dropout.probability": share(0.2, below=True),
        "crop.padding": whole_number(0, 512, 4),
        "crop.mode": OneOf(("zeros", "reflect")),
        "noise.std": Number(0, 1000, 0.1),
        "resized_crop.scale": Numbers(
            Number(0, 1, 0.5, above=True, in_float32=False), 2, 2, "[0.5,1.0]"
        ),
        "resized_crop.ratio": Numbers(Number(0.01, 100, 1.0), 2, 2, "[0.75,1.333]"),
        "color_jitter.brightness": share(0.4),
        "color_jitter.contrast": share(0.4),
        "color_jitter.saturation": share(0.4),
        "color_jitter.hue": Number(0, 0.5, 0.1),
        "affine.degrees": Number(0, 180, 10),
        "affine.translate": share(0.1),
        "affine.scale": Numbers(Number(0.01, 100, 1.0), 2, 2, "[0.9,1.1]"),
        "affine.shear": Number(0, 80, 5),
        "cutout.length": whole_number(1, 4096, 16),
        "mixup.alpha": positive(1.0),
        "cutmix.alpha": positive(1.0),
        "rand_augment.num_magnitude_bins": whole_number(2, 1000, 31),
        "trivial_augment.num_magnitude_bins": whole_number(2, 1000, 31),
        "rand_augment.num_ops": whole_number(1, 100, 2),
        "torchvision.transforms": Transforms("[{name: RandomPerspective, p: 0.5}]"),
        "rand_augment.magnitude": whole_number(0, 999, 9),
    },
    "optim": {
        "dropout_off": Flag(),
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
        "newton_schulz_steps": whole_number(1, 100, 5),
        "precision": OneOf(("weights", "bf16")),
        "renormalize": Flag(),
        "rest": OneOf(("adamw", "nesterov")),
        "rest_lr": positive(0.0003),
        "rest_momentum": share(0.85, below=True),
        "max_iter": whole_number(1, 1_000_000, 20),
        "history_size": whole_number(1, 10_000, 10),
        "line_search_fn": OneOf(("strong_wolfe", "none")),
        "tolerance_grad": Number(0, 1, 1e-7),
        "tolerance_change": Number(0, 1, 1e-9),
        "ridge": Number(0, 1_000_000_000, 0.1),
        "freeze": Texts("[features.*]"),
        "apart": Texts("[classifier.4.*]"),
        "rates": Factors(),
        "decays": Factors("[*.bias:0]"),
        "freeze_after": Factors("[features.0.bias:3]", 1_000_000, "epoch"),
        "freeze_until": Factors("[features.*:2]", 1_000_000, "epoch"),
        "layer_decay": Number(0, 1, 0.8, above=True, in_float32=False),
        "noise": Number(0, 1000, 0.1),
        "noise_decay": Number(0, 100, 0.55),
        "decoupled_weight_decay": Flag(),
        "beta2_decay": Number(-10, 0, -0.8, below=True),
        "max_update": Number(1, 1000, 1.0),
        "smallest_scale": positive(0.001),
        "etas": Numbers(Number(0, 1000, 1.2, above=True), 2, 2, "[0.5,1.2]"),
        "step_sizes": Numbers(Number(0, 1_000_000, 0.01, above=True), 2, 2, "[1e-6,50]"),
        "lambd": Number(0, 1, 0.0001),
        "t0": Number(0, 1e12, 100),
        "variant": OneOf(("adamw", "radam", "sgd")),
        "r": Number(0, 100, 0.0),
        "weight_lr_power": Number(0, 100, 2.0),
    },
    "schedule": {
        "warmup": Number(0, 1_000_000, 2.0),
        "step_size": whole_number(1, 1_000_000, 10),
        "gamma": Number(0, 1, 0.5, above=True, in_float32=False),
        "rate": Number(0, 1000, 0.1),
        "final": share(0.0),
        "pct_start": Number(0, 1, 0.3, above=True, below=True, in_float32=False),
        "div_factor": Number(1, 1_000_000, 25),
        "final_div_factor": Number(1, 1e12, 10_000),
        "anneal_strategy": OneOf(("cos", "linear")),
        "three_phase": Flag(),
        "patience": whole_number(0, 1_000_000, 5),
        "start": Number(0, 1, 0.75, above=True, below=True, in_float32=False),
        "up": Number(0, 1_000_000, 2.0, above=True, in_float32=False),
        "down": Number(0, 1_000_000, 2.0, above=True, in_float32=False),
        "low": share(0.1, below=True),
        "cycle": OneOf(("triangular", "triangular2", "exp_range")),
        "t_0": Number(0, 1_000_000, 10.0, above=True, in_float32=False),
        "t_mult": Number(1, 1000, 2.0),
        "power": Number(0, 100, 2.0, above=True, in_float32=False),
    },
    "clip": {
        "eps": positive(1e-8, 1),
        "max_norm": positive(1.0, 1_000_000),
        "max_value": positive(0.5, 1_000_000),
        "clipping": positive(0.01),
    },
    "nonfinite": {
        "max_skipped": whole_number(1, LARGE_COUNT, 10),
        "max_rollbacks": whole_number(1, 1000, 3),
        "factor": Number(0, 1, 0.5, above=True, below=True),
    },
    "average": {
        "decay": share(0.999, below=True),
        "every": whole_number(1, 1_000_000, 5),
        "power": Number(0, 100, 0.0),
        "start": Number(0, 1_000_000, 0.75),
    },
    "split": {
        "seed": SEED,
        "fraction": share(0.2, below=True),
        "folds": whole_number(2, 1_000_000, 5),
        "repeats": whole_number(1, 1000, 3),
        "outer": whole_number(2, 1_000_000, 5),
        "inner": whole_number(2, 1_000_000, 5),
        "fold": whole_number(0, 999_999, 0),
        "stratified": Flag(),
    },
    "metric": {
        "top_k.k": whole_number(1, 1_000_000, 5),
        "average_precision.bins": whole_number(2, 100_000, 15),
        "auroc.bins": whole_number(2, 100_000, 1000),
        "multilabel.threshold": Number(0, 1, 0.5, above=True, below=True, in_float32=False),
        "multilabel_average_precision.bins": whole_number(2, 100_000, 1000),
        "calibration.bins": whole_number(2, 100_000, 15),
        "*.training": Flag(),
    },
    "view": {
        "shift.pixels": whole_number(1, 512, 1),
    },
    "stop": {
        "patience": whole_number(1, 1_000_000, 10),
        "min_delta": Number(0, 1_000_000, 0.0),
        "value": Number(-1e9, 1e9, 0.97),
        "mode": OneOf(("max", "min")),
    },
    "runtime": {
        "device": Device(),
        "precision": OneOf(("fp32", "tf32", "bf16", "fp16", "fp64")),
        "devices": whole_number(1, 4096, 2),
        "batch_norm": OneOf(("synchronised", "per_device")),
        "threads": whole_number(1, 4096, 2, empty=True),
        "channels_last": Flag(names=("auto",)),
        "linear": OneOf(("auto", "products", "onednn", "convolution")),
        "fused_layers": Flag(names=("auto",)),
        "keep_memory": Flag(),
        "fast_paths": Flag(),
        "graph": Flag(),
        "compile": Flag(names=("auto",)),
        "anomaly": Flag(),
        "deterministic": Flag(),
    },
    "observe": {
        "aim.repo": Text("outputs", empty=True),
        "aim.experiment": Text("dlcourse"),
        "aim.name": Text("first", empty=True),
        "mlflow.experiment": Text("dlcourse"),
        "mlflow.name": Text("first", empty=True),
        "wandb.name": Text("first", empty=True),
        "*.patience": positive(60, 86_400, in_float32=False),
        "*.weights": Flag(),
        "mlflow.uri": Text("sqlite:///outputs/mlflow.db", empty=True),
        "wandb.mode": OneOf(("offline", "online", "disabled")),
        "wandb.project": Text("course", empty=True),
        "wandb.entity": Text("my_team", empty=True),
        "wandb.group": Text("widths", empty=True),
        "wandb.tags": Texts("[baseline]"),
        "diagnostics.every": Interval(),
        "diagnostics.measure": SomeOf(MEASUREMENTS),
        "diagnostics.examples": whole_number(2, 10_000, 256),
        "diagnostics.histograms": Flag(),
        "plots.animation": Flag(),
        "profiler.warmup": whole_number(0, 1_000_000, 10),
        "profiler.steps": whole_number(1, 10_000, 20),
        "profiler.rows": whole_number(1, 1000, 12),
        "tensorboard.embedding": whole_number(0, 100_000, 1000),
        "tensorboard.pr_classes": whole_number(0, 1000, 20),
        "trajectory.copies": whole_number(2, 10_000, 40),
        "trajectory.megabytes": positive(500, 1_000_000, in_float32=False),
    },
    "sweep": {
        "seed": SEED,
        "draws": whole_number(1, 100_000, 20),
        "trials": whole_number(1, 1_000_000, 30),
        "sampler": OneOf(("tpe", "random", "cmaes", "qmc")),
        "pruner": OneOf(("median", "halving", "hyperband", "none")),
        "startup": whole_number(1, 100_000, 10),
        "patience": whole_number(1, 1_000_000, 5),
        "storage": Text("sqlite:///study.db", empty=True),
        "study": Text("my_study", empty=True),
    },
}
"""The bounds of each key: ``BOUNDS["optim"]["lr"]``, for top-level keys ``BOUNDS[""]["seed"]``.

In a group of which several choices can be combined, the key contains the name of the choice:
``BOUNDS["augment"]["crop.padding"]``; ``*`` matches every choice.
"""


def bounds_of(key: str) -> Kind | None:
    """Return the bounds of a dotted key such as ``optim.lr``; None if it has none.

    Keys with the same name in different groups have separate bounds.
    """
    group, dot, name = key.partition(".")
    if not dot:
        return BOUNDS[""].get(key)
    table = BOUNDS.get(group, {})
    return table.get(name, table.get(f"*.{name.partition('.')[2]}"))


def bounds_of_argument(target: str, name: str) -> Kind | None:
    """Return the bounds of an argument of a ``_target_`` in dlcourse or ``torch.optim``.

    ``bounds_of_argument("dlcourse.augment.crop.crop", "padding")`` returns the bounds of
    ``augment.crop.padding``. Returns None for other targets and for keys without bounds.
    """
    library, group, *parts = [*target.split("."), ""]
    if library == "torch" and group == "optim":
        return bounds_of(f"optim.{name}")
    if library != "dlcourse":
        return None
    return bounds_of(f"{group}.{name}") or bounds_of(f"{group}.{parts[0]}.{name}")
