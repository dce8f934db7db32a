"""Linear decay."""


def linear(epoch: float, max_epochs: float, scores: list[float], *, final: float) -> float:
    """Return a straight line from 1 at the start down to ``final`` at the end."""
    return 1 - (1 - final) * epoch / max_epochs
