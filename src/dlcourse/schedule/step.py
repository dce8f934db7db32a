"""A learning rate that falls in steps."""


def step(
    epoch: float, max_epochs: float, scores: list[float], *, step_size: int, gamma: float
) -> float:
    """Return gamma to the power of how many times ``step_size`` epochs have gone by."""
    return gamma ** (int(epoch) // step_size)
