"""Metrics of each output of a regression with several."""

from typing import Any

from torch import Tensor

MOST_LISTED_OUTPUTS = 100  # with more, such as pixels, none is listed


def by_output(**values: Tensor) -> dict[str, Any]:
    """Return ``{"per_output": {"rmse": [...]}}`` of values (K,); empty for one or many outputs."""
    count = len(next(iter(values.values())))
    if not 1 < count <= MOST_LISTED_OUTPUTS:
        return {}
    return {"per_output": {name: value.tolist() for name, value in values.items()}}
