"""Imports what every rank needs, once, in the process from which ranks are forked.

It only imports, and leaves signals to the process that starts the ranks: no number is drawn, no
thread started and no device used.
"""

import os

from dlcourse.distributed.start import PRELOADED
from dlcourse.machine.frozen_import import frozen_import
from dlcourse.terminal.stop_signals import ignore_signals

ignore_signals()

if module := os.environ.get(PRELOADED):
    frozen_import(module)
