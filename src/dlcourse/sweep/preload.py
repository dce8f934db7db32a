"""Imports what every job needs, once, in the process from which jobs are forked.

It only imports, and leaves signals to the sweep. It draws no random number, starts no thread and
uses no device, so that a forked job behaves like one in a new process.
"""

from dlcourse.machine.frozen_import import frozen_import
from dlcourse.terminal.stop_signals import ignore_signals

ignore_signals()

for name in (
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "sklearn.datasets",
    "torch.utils.tensorboard",
    "dlcourse.engine.run",
    "dlcourse.engine.job",
    "dlcourse.observe.plots",
    "dlcourse.observe.tensorboard",
):
    frozen_import(name)
