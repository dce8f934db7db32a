"""Losses: ``(outputs, targets) -> scalar``, the mean over the batch.

``outputs`` are (N, K); ``targets`` (N,) int64 classes or, for a regression, (N, K) floats. Those in
``facts.SOFT_LOSSES`` also take classes as probabilities (N, K), as mixed examples have them.
"""
