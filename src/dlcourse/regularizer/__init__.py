"""Regularizers: ``(model) -> penalty``, a 0-d tensor that is added to the loss.

Several can be combined. A function with the attribute ``after_step = True`` is a constraint
instead: ``(model) -> None``, called without gradients after every update of the optimizer, changes
the weights in place.
"""
