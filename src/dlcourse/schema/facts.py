"""Facts about a choice that are known before torch is imported or data are read.

A choice's YAML declares its facts next to ``_target_``: ``_facts_: {task: classification}``.
``FACTS`` lists all of them. Hydra never sees the facts of dlcourse's own choices; those of a user's
own choice stay in the config, so that they are stored with the run.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from dlcourse.errors import UserError, did_you_mean, nearest
from dlcourse.schema.kinds import Flag, Kind, NamedValues, Number, Numbers, OneOf, Text
from dlcourse.schema.packaged import declared, own_targets


@dataclass(frozen=True)
class Fact:
    """A fact that a choice can declare.

    groups: the groups whose choices can declare it. kind: its possible values.
    what: its meaning, in one line.
    demanded: the groups in which every choice of dlcourse's own must declare it.
    missing: its value where it is not declared; None: it is unknown, and nothing is refused.
    """

    groups: tuple[str, ...]
    kind: Kind
    what: str
    demanded: tuple[str, ...] = ()
    missing: Any = None


GROUPS = (
    "model", "init", "loss", "regularizer", "augment", "optim", "schedule", "clip", "average",
    "split", "sampler", "metric", "view", "stop", "nonfinite", "observe", "runtime", "data",
)  # fmt: skip
"""The groups of choices in a run's config."""

COUNT = Number(0, 1_000_000_000, 1000, whole=True)
LIMIT = Number(-math.inf, math.inf, 0, empty=True)

FACTS: dict[str, Fact] = {
    "needs": Fact(
        GROUPS,
        Text("pandas"),
        "the module of an optional package that it imports; refused early where it is missing",
    ),
    "task": Fact(
        ("loss", "metric", "data", "model", "split", "sampler"),
        OneOf(("classification", "multilabel", "regression", "any")),
        "the targets that it has or needs: one class, several classes, values, or any of them",
        demanded=("loss", "metric", "data", "sampler"),
    ),
    "soft_targets": Fact(
        ("loss",),
        Flag(),
        "takes classes as probabilities (N, K) as well, as `augment=mixup` makes them",
        demanded=("loss",),
    ),
    "multilabel": Fact(
        ("loss",),
        Flag(),
        "takes the targets (N, K) of examples that can have several classes, 1 for each of them",
        demanded=("loss",),
    ),
    "outputs": Fact(
        ("loss",),
        OneOf(("softmax", "sigmoid", "scores")),
        "what turns the model's outputs into probabilities; scores cannot be turned into any",
        demanded=("loss",),
        missing="softmax",
    ),
    "same_value_as": Fact(
        ("loss",),
        Text("dlcourse.loss.mse.mse"),
        "the `_target_` of another loss whose values are the same",
    ),
    "reports": Fact(
        ("metric",),
        NamedValues(OneOf(("max", "min")), "{accuracy: max}"),
        "the values that it reports, and whether larger or smaller ones are better",
        demanded=("metric",),
    ),
    "ranges": Fact(
        ("metric",),
        NamedValues(Numbers(LIMIT, 2, 2, "[0, 1]"), "{accuracy: [0, 1]}"),
        "the smallest and the largest possible value of each reported value; null: no limit",
        demanded=("metric",),
    ),
    "inputs": Fact(
        ("data", "augment", "view"),
        OneOf(("images", "table", "any")),
        "the examples that it has or needs",
        demanded=("data", "augment", "view"),
    ),
    "examples": Fact(("data",), COUNT, "the number of training examples, where it is fixed"),
    "classes": Fact(("data",), COUNT, "the number of classes, where it is fixed; 0: values"),
    "classes_of_part": Fact(
        ("data",),
        NamedValues(COUNT, "{letters: 26}"),
        "the number of classes for each value of the option `part`",
    ),
    "own_files": Fact(
        ("data",), Flag(), "the data are whatever is in the folder `data.root`", missing=False
    ),
    "mixes_targets": Fact(
        ("augment",),
        Flag(),
        "turns classes into probabilities (N, K), so that the loss has to take soft targets",
        missing=False,
    ),
    "draws_on_cpu": Fact(
        ("augment",),
        Flag(),
        "draws random numbers on the CPU, which a CUDA graph would repeat: steps run without one",
        missing=False,
    ),
    "smallest_image": Fact(
        ("model",),
        Number(1, 4096, 28, whole=True, empty=True),
        "takes only images, of at least this width and height in pixels; null: takes any inputs",
        demanded=("model",),
    ),
    "full_batch": Fact(
        ("optim", "model"),
        Flag(),
        "takes the whole training part in one step: needs `batch_size=full`",
        missing=False,
    ),
    "own_step": Fact(
        ("optim", "model"),
        Flag(),
        "has a training step of its own instead of one backward pass and one update",
        missing=False,
    ),
    "in_pieces": Fact(
        ("optim", "model"),
        Flag(),
        "its own training step takes the gradients of `recipe.differentiate`, so that a batch can "
        "be computed in pieces",
        missing=False,
    ),
    "own_length": Fact(
        ("optim", "model"),
        Flag(),
        "finds the length of its steps itself instead of taking it from the learning rate",
        missing=False,
    ),
    "own_average": Fact(
        ("optim",),
        Flag(),
        "evaluates other weights than it trains with, by a class attribute `average`: needs "
        "`average=none`",
        missing=False,
    ),
    "linear_in_weights": Fact(
        ("model",), Flag(), "is linear in its weights: `optim=closed_form` can solve it"
    ),
    "maxout": Fact(
        ("model",), Flag(), "can have the activation maxout, which needs wider layers", missing=True
    ),
    "published_weights": Fact(
        ("model",),
        Flag(),
        "its option `weights` names a file or published weights, which may be a long download",
        missing=False,
    ),
    "reconstructs": Fact(
        ("model",),
        Flag(),
        "reconstructs its inputs: needs `data.reconstruct=true`",
        missing=False,
    ),
    "grouping": Fact(
        ("split",),
        OneOf(("kept", "divided", "needed")),
        "keeps the groups of `data.group` whole, divides them, or needs them",
        demanded=("split",),
    ),
}
"""All facts by their names."""

OF_THE_LOSS: dict[str, dict[str, Any]] = {"reports": {"loss": "min"}, "ranges": {"loss": [0, None]}}
"""The facts of the loss as a metric, which every run reports."""

IMAGE_FOLDER = "dlcourse.data.image_folder.image_folder"
MOST_WHITENED = 4096  # inputs of an example; their covariance matrix then takes 64 MiB
SMALL_IMAGE = 64  # pixels; below it, a model's first layers keep the size, and patches are small


def facts_of(choice: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a choice: those in its config, else those in dlcourse's YAML for it.

    choice: the config of a choice, with its ``_target_``. Stored configs contain no facts of
    dlcourse's own choices, so these are found by the ``_target_``.
    """
    return {**declared(str(choice.get("_target_", ""))), **(choice.get("_facts_") or {})}


def fact(choice: Mapping[str, Any], name: str) -> Any:
    """Return the value of one fact of a choice; ``Fact.missing`` if it is not declared."""
    return facts_of(choice).get(name, FACTS[name].missing)


def check_facts(group: str, key: str, choice: Mapping[str, Any]) -> None:
    """Raise UserError for an unknown fact of a choice, or one with a wrong value.

    key: where the choice is in the config, ``loss`` or ``augment.my_crop``.
    """
    given = choice.get("_facts_")
    if given is None:
        return
    known = [name for name, one in FACTS.items() if group in one.groups]
    if not isinstance(given, Mapping):
        raise UserError(
            f"{key}._facts_={given} is not allowed: facts have names and values.\n"
            f"Type into the YAML of this choice {example_of(known[:1])}"
        )
    for name, value in given.items():
        if name not in known:
            raise UserError(
                f"{name} in {key}._facts_ is not a fact of the group {group}; "
                f"{nearest(str(name), known)}.\n"
                f"Type into the YAML of this choice {example_of(known[:1])}"
            )
        kind = FACTS[name].kind
        if not kind.allows(value):
            names = getattr(kind, "names", ())
            close = did_you_mean(value, names) if isinstance(value, str) and names else ""
            raise UserError(
                f"{key}._facts_ has {name}: {value}, and {name} takes {kind}"
                f"{f'; {close}' if close else '.'}\n"
                f"Type into the YAML of this choice {example_of([name])}"
            )


def example_of(names: list[str]) -> str:
    """Return an example that declares these facts, ``_facts_: {task: classification}``."""
    return f"_facts_: {{{', '.join(f'{name}: {FACTS[name].kind.example}' for name in names)}}}"


def missing_facts(group: str, choice: Mapping[str, Any]) -> list[str]:
    """Return the facts that a choice of dlcourse's own must declare and does not."""
    given = choice.get("_facts_") or {}
    wanted = (name for name, one in FACTS.items() if group in one.demanded)
    return [name for name in wanted if name not in given]


def fact_rows() -> Iterator[tuple[str, str, str, str]]:
    """Yield a row of the docs' table for each fact: name, groups, possible values, meaning."""
    for name, one in FACTS.items():
        groups = ", ".join(f"`{g}`" if g in one.demanded else g for g in one.groups)
        groups = "all" if one.groups == GROUPS else groups
        yield f"`{name}`", groups, str(one.kind), one.what


def with_random_weights(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config of a model that starts with random weights: no file, no download."""
    if not fact(model, "published_weights"):
        return dict(model)
    random = {"weights": None, "pretrained": False}
    return {key: random.get(key, value) for key, value in model.items()}


def name_of(target: str) -> str:
    """Return the name of a choice from its ``_target_``: ``lbfgs``; for other code, its class."""
    parts = target.split(".")
    return parts[2] if parts[0] == "dlcourse" and len(parts) > 3 else parts[-1]


def target(config: Mapping[str, Any], group: str) -> str:
    """Return the ``_target_`` of a group's choice, ``dlcourse.model.lenet.LeNet5``, or empty."""
    return config.get(group, {}).get("_target_", "")


def reports_of(metric: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Return the values that a metric reports, each with ``max`` or ``min``; None if unknown."""
    return fact(metric, "reports")


def range_of(monitor: str) -> tuple[float | None, float | None]:
    """Return the smallest and largest possible value of a monitor such as ``val/accuracy``.

    None stands for no limit, and for the limits of a metric outside dlcourse.
    """
    name = monitor.rpartition("/")[2]
    low, high = ranges().get(name, (None, None))
    return low, high


@cache
def ranges() -> dict[str, tuple[float | None, float | None]]:
    """Return the limits of every value that the loss or a metric of dlcourse reports."""
    metrics = [name for name in own_targets() if name.startswith("dlcourse.metric.")]
    known = [OF_THE_LOSS, *map(declared, metrics)]
    return {
        name: (low, high) for one in known for name, (low, high) in one.get("ranges", {}).items()
    }


def smallest_image(config: Mapping[str, Any]) -> int | None:
    """Return the smallest image side, in pixels, that a model takes; None if it takes any input."""
    model, smallest = config["model"], fact(config["model"], "smallest_image")
    if smallest is not None and model.get("padding") == "valid" and "dilation" in model:
        return max(smallest, 4 * model["dilation"] + 2)
    return smallest


def task_of(config: Mapping[str, Any]) -> str | None:
    """Return the task, ``classification``, ``multilabel`` or ``regression``; None if not known."""
    data = config["data"]
    if data["reconstruct"] or data.get("task") == "regression":
        return "regression"
    if target(config, "data") == IMAGE_FOLDER and data.get("labels") is not None:
        return "multilabel"
    known = fact(data, "task")
    return data.get("task") if known == "any" else known


def is_regression(config: Mapping[str, Any]) -> bool:
    """Return whether the targets are known to be values and not classes."""
    return task_of(config) == "regression"


def sizes_of(data: Mapping[str, Any]) -> tuple[int | None, int]:
    """Return the number of training examples (None if unknown) and of classes (2 if unknown)."""
    known = facts_of(data)
    return known.get("examples", data.get("train_examples")), known.get("classes", 2)


def examples_of(config: Mapping[str, Any]) -> int | None:
    """Return the number of training examples; None if it is known only after reading the data."""
    data = config["data"]
    return data["examples"] or sizes_of(data)[0]


def training_share(config: Mapping[str, Any], examples: int) -> int:
    """Return the number of training examples of one fold, without the validation part."""
    split = config["split"]
    if {"outer", "inner"} <= split.keys():
        return round(examples * (1 - 1 / split["outer"]) * (1 - 1 / split["inner"]))
    held = 1 / split["folds"] if "folds" in split else split.get("fraction", 0)
    return round(examples * (1 - held))


def example_shape(config: Mapping[str, Any]) -> tuple[tuple[int, int, int], int] | None:
    """Return (channels, size, size) of one image and the number of outputs; None if unknown.

    They are known for the image data sets that dlcourse downloads, even before the download.
    """
    data = config["data"]
    known = facts_of(data)
    classes = known.get("classes") or known.get("classes_of_part", {}).get(data.get("part"))
    if not classes or "size" not in data:
        return None
    shape = (data["channels"], data["size"], data["size"])
    return shape, math.prod(shape) if data["reconstruct"] else classes
