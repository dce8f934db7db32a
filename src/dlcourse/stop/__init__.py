"""Stopping rules: ``(scores) -> bool``, called after every epoch; True ends the training.

scores: list of floats, the monitored metric of each finished epoch, negated if smaller is better. A
rule is a pure function, so that there is no state to save.
"""
