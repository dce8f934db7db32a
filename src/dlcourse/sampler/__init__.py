"""Samplers: ``(train, *, seed, epoch) -> order``, the examples of an epoch.

train: the training part, a ``Split`` of N examples. order: the positions (N,) of the examples in
the order in which they are visited; some may occur more than once, and others not at all. It is a
function of the seed and the epoch alone.
"""
