"""Read intervals of training such as ``100`` steps or ``0.5epoch``; imports no torch."""

import re
from typing import Any

LONGEST = 1_000_000_000


def training_interval(value: Any) -> tuple[float, str] | None:
    """Return an interval as a number and its unit, ``steps`` or ``epochs``; None if it is neither.

    A number without a unit is a whole number of steps; ``2epochs`` and ``0.5epoch`` are epochs.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return (value, "steps") if 0 < value <= LONGEST else None
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*epochs?", str(value))
    if parts is None or not 0 < float(parts[1]) <= LONGEST:
        return None
    return float(parts[1]), "epochs"


def interval_in_steps(value: Any, steps_of_epoch: int) -> int:
    """Return an interval in steps, at least 1; raises ValueError for what is no interval."""
    found = training_interval(value)
    if found is None:
        raise ValueError(f"{value!r} is not an interval such as 100 or 0.5epoch")
    number, unit = found
    return max(1, round(number * (steps_of_epoch if unit == "epochs" else 1)))
