"""Metrics: see ``core.Metric``. Sums over a batch stay on the device; figures follow from them.

``outputs`` are (N, K). ``targets`` are (N,) classes or (N, K) values; to the class metrics (N, K)
are the shares of mixed training examples, which count as their largest class.
"""
