"""Complete configs that an older dlcourse has written with the keys that came later."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

EVERY = {
    "view": {}, "random_streams": 1, "max_time": None, "checkpoint_every": None, "accumulate": 1,
    "engine": "separate",
    "note": None, "tags": [], "steps_per_epoch": None,
    "sampler": {"_target_": "dlcourse.sampler.shuffle.shuffle", "_partial_": True},
    "nonfinite": {"_target_": "dlcourse.nonfinite.stop.stop_run", "_partial_": True},
}  # fmt: skip
OF_A_GROUP = {
    "loss": {"class_weight": None},
    "data": {"test_examples": None, "zca_epsilon": 1e-5},
    "optim": {
        "decays": [], "freeze_after": [], "freeze_until": [],
        "layer_decay": 1.0, "noise": 0.0, "noise_decay": 0.55,
    },
}  # fmt: skip
OF_A_CLASS = {
    "dlcourse.runtime.Runtime": {
        "linear": "products",
        "fused_layers": False,
        "keep_memory": True,
        "graph": False,
        "devices": 1,
        "batch_norm": "synchronised",
        "anomaly": False,
    },
    "dlcourse.model.lenet_caffe.LeNetCaffe": {"conv_activation": False},
    "dlcourse.model.vgg.VGG": {"head": "dense"},
    "dlcourse.model.convnet.ConvNet": {"dilation": 1, "padding": "valid"},
    "dlcourse.model.rnn.RNN": {"cell": "rnn"},
    "dlcourse.augment.crop.crop": {"mode": "zeros"},
    "dlcourse.data.image_folder.image_folder": {
        "decoder": "pillow",
        "reduced_decode": False,
        "fit": "crop",
        "fill": 0,
        "labels": None,
    },
    "dlcourse.data.csv.csv": {
        "test_file": None,
        "exclude": [],
        "weight": None,
        "id": None,
        "decimal": "point",
        "text": "refuse",
        "one_hot": [],
        "ordinal": None,
        "most_values": 50,
        "date_format": None,
        "date_parts": ["days", "month", "weekday"],
        "missing": "refuse",
        "missing_values": ["?", "-", "NA", "N/A", "<NA>", "NaN", "null", "none", "missing"],
        "numbers": "float32",
    },
    "dlcourse.data.sine.sine": {"spacing": "random"},
    "dlcourse.observe.tensorboard.TensorBoard": {"embedding": 0, "pr_classes": 0},
    "dlcourse.optim.muon.Muon": {
        "precision": "weights",
        "renormalize": False,
        "apart": [],
        "rest": "adamw",
        "rest_momentum": 0.9,
    },
}
"""Keys that later versions added, each with the value that keeps the earlier behaviour."""
RUNTIME = "dlcourse.runtime.Runtime"
WITHOUT_FAST_PATHS = {
    "channels_last": False,
    "linear": "products",
    "keep_memory": False,
    "graph": False,
}
"""The keys of ``runtime=plain`` before ``fast_paths`` existed, which it now sets to false."""


def migrated(config: dict[str, Any]) -> dict[str, Any]:
    """Add the keys of later versions to a stored config, with the earlier behaviour's values."""
    config = deepcopy(EVERY) | config
    for group, keys in OF_A_GROUP.items():
        if isinstance(config.get(group), dict):
            config[group] = deepcopy(keys) | config[group]
    return {key: with_its_class(value) for key, value in config.items()}


def with_its_class(node: Any) -> Any:
    """Add the arguments that later versions gave to the classes in a part of a config."""
    if not isinstance(node, dict):
        return node
    later = deepcopy(OF_A_CLASS.get(str(node.get("_target_")), {}))
    made = later | {key: with_its_class(value) for key, value in node.items()}
    if node.get("_target_") == RUNTIME:
        made = {
            "fast_paths": any(made.get(key) != value for key, value in WITHOUT_FAST_PATHS.items())
        } | made
    return made


LATER_KEYS = {
    "": ("accumulate", "engine", "sampler", "nonfinite", "steps_per_epoch"),
    "loss": ("class_weight",),
    "runtime": ("fused_layers", "devices", "batch_norm", "anomaly"),
    "data": (
        "decoder",
        "reduced_decode",
        "fit",
        "fill",
        "labels",
        "test_file",
        "exclude",
        "weight",
        "id",
        "decimal",
        "text",
        "one_hot",
        "ordinal",
        "most_values",
        "date_format",
        "date_parts",
        "missing",
        "missing_values",
        "numbers",
    ),
    "optim": ("layer_decay", "noise", "noise_decay"),
}
"""Keys that were added after sweeps stored their identity."""
EARLIER_DEFAULTS = {"runtime.fused_layers": "false", "runtime.compile": "false"}
"""The values of keys whose default in ``runtime=auto`` has changed since then, as overrides."""
EARLIER_OF_A_CHOICE = {"data=csv": {"data.text": "refuse", "data.numbers": "float32"}}
"""The same for keys that ``data=csv`` got later, whose defaults change what a run does."""


def changed_defaults(config: dict[str, Any]) -> list[str]:
    """Return overrides with a run's own values of keys whose defaults have changed since it began.

    config: of the run, migrated.
    """
    streams = [f"random_streams={config['random_streams']}"]
    target = str(config["data"].get("_target_"))
    keys = EARLIER_OF_A_CHOICE["data=csv"] if target == "dlcourse.data.csv.csv" else {}
    return streams + [f"{key}={config['data'][key.removeprefix('data.')]}" for key in keys]


def earlier_defaults(words: Sequence[str], version: int) -> list[str]:
    """Return the overrides that keep the defaults with which a sweep was started.

    words: its overrides. version: of the defaults, as the sweep's manifest stores it.
    """
    typed = {word.partition("=")[0].lstrip("+~") for word in words}
    found = dict(EARLIER_DEFAULTS) if version < 2 else {}
    if version < 3:
        for choice, keys in EARLIER_OF_A_CHOICE.items():
            found |= keys if choice in words else {}
    return [f"{key}={value}" for key, value in found.items() if key not in typed]


def without_later_keys(config: dict[str, Any]) -> dict[str, Any]:
    """Remove keys from a config whose values an older config would imply.

    So a sweep that an older version started counts as the same sweep today.
    """
    kept = without_implied(config, LATER_KEYS[""], EVERY)
    for group in LATER_KEYS.keys() - {""}:
        node = kept.get(group)
        if isinstance(node, dict):
            implied = OF_A_GROUP.get(group, {}) | OF_A_CLASS.get(str(node.get("_target_")), {})
            kept = kept | {group: without_implied(node, LATER_KEYS[group], implied)}
    node = kept.get("runtime")
    if not isinstance(node, dict):
        return kept
    earlier = {key: value for key, value in node.items() if key != "fast_paths"}
    implies = with_its_class(earlier).get("fast_paths") == node.get("fast_paths")
    return kept | {"runtime": earlier} if implies else kept


def without_implied(
    node: dict[str, Any], keys: Sequence[str], implied: dict[str, Any]
) -> dict[str, Any]:
    """Return a part of a config without those of ``keys`` that have the implied value."""
    return {
        key: value
        for key, value in node.items()
        if key not in keys or key not in implied or value != implied[key]
    }
