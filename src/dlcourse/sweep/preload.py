"""Imports what every job needs, once, in the process from which jobs are forked.

It only imports: no random number is drawn, no thread is started, no device is touched, so that a
job finds what it would find in a process of its own that was started afresh.
"""

from dlcourse.machine.frozen_import import frozen_import

for name in (
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "sklearn.datasets",
    "torch.utils.tensorboard",
    "dlcourse.engine.run",
    "dlcourse.engine.job",
):
    frozen_import(name)
