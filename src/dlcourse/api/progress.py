"""Progress of a call: the command's lines in a terminal, one updated line in a notebook."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from dlcourse.terminal.streams import NullStream, steady_streams


@contextmanager
def progress(folder: Path, quiet: bool) -> Iterator[Sequence[Any]]:
    """Show or silence a run while the block trains it; yield the observers to add to the run.

    folder: of the run.
    """
    if quiet:
        with redirect_stdout(NullStream()):
            yield []
    elif in_notebook():
        from dlcourse.api.notebook_line import NotebookLine
        from dlcourse.observe.guarded import Guarded

        with redirect_stdout(NullStream()):
            yield [Guarded("notebook", NotebookLine, folder)]
    else:
        with terminal():
            yield []


@contextmanager
def sweep_progress(quiet: bool) -> Iterator[None]:
    """Show or silence a sweep while the block runs it."""
    if quiet:
        with redirect_stdout(NullStream()):
            yield
    elif in_notebook():
        from dlcourse.api.notebook_line import LastLine

        with redirect_stdout(LastLine()):
            yield
    else:
        with terminal():
            yield


@contextmanager
def terminal() -> Iterator[None]:
    """Make stdout and stderr safe to print to, as for a command, and restore them afterwards."""
    streams = [s for s in (sys.stdout, sys.stderr) if isinstance(s, TextIOWrapper)]
    before = [stream.errors for stream in streams]
    try:
        with steady_streams():
            yield
    finally:
        for stream, errors in zip(streams, before, strict=True):
            stream.reconfigure(errors=errors)


def in_notebook() -> bool:
    """Return whether the call comes from a notebook, whose output can be updated in place."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    return hasattr(shell, "kernel")
