"""Read durations such as ``90``, ``30m`` or ``1.5h``; imports no torch."""

import math
import re
from typing import Any

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(value: Any) -> float | None:
    """Return a duration in seconds, or None if the value is not a finite duration above 0.

    A number without a unit is in seconds; units are s, m, h and d.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        found = float(value) if value < 1e9 else math.inf
    else:
        parts = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", str(value))
        if parts is None:
            return None
        found = float(parts[1]) * UNITS[parts[2] or "s"]
    return found if 0 < found < math.inf else None
