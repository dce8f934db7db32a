"""Metrics: classes derived from ``core.Metric``.

``measure(outputs, targets) -> Tensor`` returns sums over a batch, of any shape, on the device.
``report(sums, examples) -> dict`` turns the sums over all batches, in float64 on the CPU, into
named values. ``full(outputs, targets) -> dict`` is optional: details of the final test, from all
outputs.

outputs: (N, K) floats. targets: (N,) int64 classes, or (N, K) values of a regression; class metrics
also take (N, K) probabilities of mixed training examples, which count as their most probable class.
"""
