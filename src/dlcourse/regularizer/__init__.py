"""Regularizers: ``(model) -> scalar``, added to the loss; several may be chosen.

A function with the attribute ``after_step = True`` is a constraint instead: ``(model) -> None``
changes the weights in place after every step of the optimizer.
"""
