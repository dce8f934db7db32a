"""The groups of the table of references, and the names that each must have."""

from collections.abc import Callable

from dlcourse.layer.activation import ACTIVATIONS
from dlcourse.layer.norm import NORMS
from dlcourse.layer.pool import POOLS

LAYER_NAMES = {"activation": tuple(ACTIVATIONS), "norm": NORMS, "pool": POOLS}
GROUPS = (
    "data", "model", "activation", "norm", "pool", "layer", "loss", "optim", "clip", "schedule",
    "average", "init", "regularizer", "augment",
    "view",
)  # fmt: skip
LAYERS = (
    "output size", "Toeplitz product", "transposed convolution", "receptive field", "sharpen",
    "emboss", "blur", "edge", "own layer",
)  # fmt: skip


def expected(group: str, options: Callable[[str], list[str]]) -> list[str]:
    """Return every name that must have a row: the group's configs, or the names of its layers."""
    return list(LAYERS) if group == "layer" else list(LAYER_NAMES.get(group) or options(group))
