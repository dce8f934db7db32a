"""Schedules: ``(epoch, max_epochs, scores) -> factor`` of every base learning rate.

``epoch`` runs smoothly, 2.5 in the middle of the third epoch; ``scores`` are the monitored figures
so far, larger is better. A schedule is a pure function: there is no state to save.
"""
