"""Losses: ``(outputs, targets) -> scalar``, the mean over the batch.

``outputs`` are (N, K); ``targets`` (N,) int64 classes or, for a regression, (N, K) floats.
"""
