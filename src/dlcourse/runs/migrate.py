"""Configs that an older dlcourse has written, completed with the keys that came later."""

from copy import deepcopy
from typing import Any

EVERY = {"view": {}, "random_streams": 1, "max_time": None, "checkpoint_every": None}
OF_A_GROUP = {
    "data": {"test_examples": None, "zca_epsilon": 1e-5},
    "optim": {"decays": [], "freeze_after": [], "freeze_until": []},
}
OF_A_CLASS = {
    "dlcourse.runtime.Runtime": {"linear": "products", "keep_memory": True, "graph": False},
    "dlcourse.model.lenet_caffe.LeNetCaffe": {"conv_activation": False},
    "dlcourse.model.vgg.VGG": {"head": "dense"},
    "dlcourse.model.convnet.ConvNet": {"dilation": 1, "padding": "valid"},
    "dlcourse.model.rnn.RNN": {"cell": "rnn"},
    "dlcourse.augment.crop.crop": {"mode": "zeros"},
    "dlcourse.data.sine.sine": {"spacing": "random"},
    "dlcourse.optim.muon.Muon": {
        "precision": "weights",
        "renormalize": False,
        "apart": [],
        "rest": "adamw",
        "rest_momentum": 0.9,
    },
}
"""Keys that later versions added, with the value that means the earlier behaviour."""
RUNTIME = "dlcourse.runtime.Runtime"
WITHOUT_FAST_PATHS = {
    "channels_last": False,
    "linear": "products",
    "keep_memory": False,
    "graph": False,
}
"""What ``runtime=plain`` was before ``fast_paths``, which is false in it and true elsewhere."""


def completed(config: dict[str, Any]) -> dict[str, Any]:
    """Return a stored config with the keys that later versions added, at their earlier values."""
    config = deepcopy(EVERY) | config
    for group, keys in OF_A_GROUP.items():
        if group in config:
            config[group] = deepcopy(keys) | config[group]
    return {key: with_its_class(value) for key, value in config.items()}


def with_its_class(node: Any) -> Any:
    """Return a part of a config with the arguments that its classes have gained since."""
    if not isinstance(node, dict):
        return node
    later = deepcopy(OF_A_CLASS.get(str(node.get("_target_")), {}))
    made = later | {key: with_its_class(value) for key, value in node.items()}
    if node.get("_target_") == RUNTIME:
        made = {
            "fast_paths": any(made.get(key) != value for key, value in WITHOUT_FAST_PATHS.items())
        } | made
    return made


def without_later_keys(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config without ``runtime.fast_paths`` where it has the value of before that key.

    So a sweep that an older version has begun is the same sweep today.
    """
    node = config.get("runtime")
    if not isinstance(node, dict):
        return config
    earlier = {key: value for key, value in node.items() if key != "fast_paths"}
    return config | {"runtime": earlier} if with_its_class(earlier) == node else config
