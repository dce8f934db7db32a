"""Gradient clipping: ``(model) -> None``, called between the backward pass and the update.

It changes the gradients of the model's parameters in place; some may be None. A scaled fp16 loss
has been unscaled before.
"""
