"""Imports of much code, which is there to stay."""

import gc
import sys
from importlib import import_module
from types import ModuleType


def import_to_stay(name: str) -> ModuleType:
    """Import a module with all it needs, out of the garbage collector's sight.

    Classes and functions by the hundred thousand make the collector look for garbage again and
    again, while they are made and when the process ends, and there is none: with PyTorch 0.35 s of
    1.4 s. What it does not look at also stays shared with the processes that are forked later.
    """
    if name in sys.modules:
        return sys.modules[name]
    was_on = gc.isenabled()
    gc.disable()
    try:
        module = import_module(name)
        gc.freeze()
    finally:
        if was_on:
            gc.enable()
    return module
