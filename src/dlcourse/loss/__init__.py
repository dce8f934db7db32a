"""Losses: ``(outputs, targets) -> scalar``, the mean over the batch.

outputs: (N, K) floats, in float32 at least. targets: (N,) int64 classes or, for a regression, (N,
K) floats. Losses with soft targets also take classes as probabilities (N, K), as mixup makes them;
the facts in the YAML file say which do. The result is a 0-d tensor with a gradient.
"""
