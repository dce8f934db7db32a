"""Gradient clipping: ``(model) -> None``, its gradients in place, between backward and update."""
