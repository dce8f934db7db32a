"""Regularizers: ``(model) -> scalar``, added to the loss; several may be chosen."""
