"""Stopping rules: ``scores -> bool``, a pure function of the monitored figures so far.

Larger is better: a loss comes negated.
"""
