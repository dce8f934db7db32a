"""Train one run in processes that torchrun has started."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import torch.distributed as dist

from dlcourse.distributed.agreement import short_digest
from dlcourse.distributed.collectives import once
from dlcourse.distributed.join import connected_ranks
from dlcourse.distributed.ranks import Ranks
from dlcourse.engine.follow_first import follow_first
from dlcourse.engine.rank import share_threads
from dlcourse.errors import DivergedError, LostRankError, Message, UserError
from dlcourse.runs.prepare import PreparedRun
from dlcourse.terminal.command import FAILED, WRONG, print_message
from dlcourse.terminal.user_code import user_code_message


def run_as_rank(
    place: Ranks,
    device: str,
    prepare: Callable[[], PreparedRun],
    job: Callable[[PreparedRun], Any],
) -> None:
    """Connect this process to the other ranks; rank 0 carries out the job, the others follow.

    device: the value of ``runtime.device``. prepare: checks the run and makes its folder, on rank 0
    alone. job: trains, writes and prints.

    An error that several ranks have is printed once. The exit status is that of a single process.
    """
    silence_others(place)
    try:
        with connected_ranks(place, "env://", device):
            share_threads(place)
            prepared = once(prepare)
            if place.rank == 0:
                job(prepared)
            elif not prepared.finished:
                follow_first(prepared.config, prepared.folder.absolute())
    except Exception as error:
        fail(place, error)


def silence_others(place: Ranks) -> None:
    """Let only rank 0 print and log."""
    if place.rank > 0:
        sys.stdout.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
        logging.getLogger().handlers[:] = [logging.NullHandler()]


@contextmanager
def noted() -> Iterator[None]:
    """Note an error of the block on rank 0, which prints it: the others need not."""
    try:
        yield
    except Exception as error:
        is_noted(error)
        raise


def fail(place: Ranks, error: Exception) -> NoReturn:
    """Print an error of this rank unless another has printed it, and end with its status.

    A lost connection is reported by rank 0 alone: torchrun names the rank that has ended.
    """
    if place.rank == 0:
        is_noted(error)
        raise error
    if not isinstance(error, LostRankError | DivergedError) and not is_noted(error):
        text = str(error) if isinstance(error, Message) else user_code_message(error)
        print_message(f"rank {place.rank}: {text or f'{type(error).__name__}: {error}'}")
    sys.stderr.flush()
    os._exit(WRONG if isinstance(error, UserError) else FAILED)


def is_noted(error: Exception) -> bool:
    """Return whether another rank has noted this error before; it is noted in torchrun's store."""
    try:
        store: Any = dist.distributed_c10d._get_default_store()
        return store.add(f"dlcourse/{short_digest(str(error))}", 1) > 1
    except (RuntimeError, ValueError):  # not connected, or rank 0 has taken the store with it
        return False
