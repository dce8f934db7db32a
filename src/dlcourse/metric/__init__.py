"""Metrics: see ``core.Metric``. Sums over a batch stay on the device; figures follow from them."""
