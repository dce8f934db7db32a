"""Imports what every rank needs, once, in the process from which ranks are forked.

It only imports: no number is drawn, no thread started and no device used.
"""

import os

from dlcourse.distributed.start import PRELOADED
from dlcourse.machine.frozen_import import frozen_import

if module := os.environ.get(PRELOADED):
    frozen_import(module)
