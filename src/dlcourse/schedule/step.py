"""Step decay."""


def step(
    epoch: float, max_epochs: float, scores: list[float], *, step_size: int, gamma: float
) -> float:
    """Return gamma^floor(epoch / step_size)."""
    return gamma ** (int(epoch) // step_size)
