"""Stop at a value of the monitored metric."""


def reached(scores: list[float], *, value: float, mode: str) -> bool:
    """Return whether the last epoch's monitored value is ``value`` or better.

    mode: whether a larger value is better, ``max``, or a smaller one, ``min``.
    """
    sign = 1 if mode == "max" else -1
    return bool(scores) and scores[-1] >= sign * value
