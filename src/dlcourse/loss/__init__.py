"""Losses: ``(outputs, targets) -> scalar``, the mean over the batch.

outputs: (N, K) floats, in float32 at least. targets: (N,) int64 classes or, for a regression, (N,
K) floats. Some losses also take classes as probabilities (N, K), which mixup makes; the fact
``soft_targets`` in the YAML file declares it. The result is a 0-d tensor with a gradient.
"""
