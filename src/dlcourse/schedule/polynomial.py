"""Polynomial decay."""


def polynomial(
    epoch: float, max_epochs: float, scores: list[float], *, power: float, final: float
) -> float:
    """Return (1 - epoch / max_epochs)^power between 1 at the start and ``final`` at the end."""
    return final + (1 - final) * (1 - epoch / max_epochs) ** power
