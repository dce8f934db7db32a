"""Schedules: ``(epoch, max_epochs, scores) -> factor`` of every base learning rate.

A schedule is called before every step and is a pure function, so that there is no state to save.

epoch: float in [0, max_epochs), continuous: 2.5 in the middle of the third epoch.
max_epochs: float, the length of the run.
scores: list of floats, the monitored metric of each finished epoch, negated if smaller is better.
"""
