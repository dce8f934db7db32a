"""Gradient clipping: ``(parameters) -> None``, in place, between backward and update."""
