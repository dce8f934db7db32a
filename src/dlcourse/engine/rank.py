"""Train one run on several devices: the process of one rank."""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from dlcourse.core import Fold, Observer, Recipe, State
from dlcourse.distributed.join import connected_ranks
from dlcourse.distributed.ranks import Ranks
from dlcourse.distributed.start import Surroundings
from dlcourse.engine.follow_first import follow_first
from dlcourse.engine.run import run
from dlcourse.errors import LostRankError, Message, OwnCodeError, PrunedError
from dlcourse.schema.hydra_api import set_up_logging
from dlcourse.terminal.command import FAILED, exit_with_parent
from dlcourse.terminal.out_of_memory import is_out_of_memory
from dlcourse.terminal.refused import refused_by_the_system
from dlcourse.terminal.stop_signals import ignore_signals, stopped_by_parent
from dlcourse.terminal.streams import steady_streams
from dlcourse.terminal.user_code import user_code_message

log = logging.getLogger(__name__)

STARTER_GONE = 3  # exit status of a rank whose starting process has ended


class Relay(Observer):
    """Sends what observers in another process need, and waits for each of their answers."""

    def __init__(self, messages: Connection) -> None:
        self.messages = messages

    def send(self, method: str, state: State, **facts: Any) -> None:
        """Send the history and other facts; return when the observers have been called."""
        self.messages.send(("observe", (method, {"history": list(state.history), **facts})))
        self.messages.recv()

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        known = ("max_epochs", "monitor", "mode", "batch_size", "seed")
        facts = {name: getattr(recipe, name) for name in known}
        self.send("start", state, recipe=facts, fold=fold.name)

    def epoch(self, state: State) -> None:
        self.send("epoch", state)

    def finish(self, state: State, result: dict) -> None:
        self.send("finish", state, result=result)


def run_rank(
    surroundings: Surroundings,
    messages: Connection,
    config: dict,
    folder: Path,
    overrides: Sequence[str],
    hydra: str,
    hparam_keys: Sequence[str] | None,
    relayed: bool,
    threads: int | None,
) -> None:
    """Run one rank; send ``("done", value)`` or ``("failed", error)`` to the starting process.

    relayed: whether observers in the starting process are called. threads: of the CPU, for all
    ranks; None for PyTorch's choice.
    """
    place = surroundings.place
    settle_in(surroundings)
    if place.rank == 0:
        set_up_logging(OmegaConf.create(hydra).hydra) if hydra else None
    else:
        logging.getLogger().handlers[:] = [logging.NullHandler()]
    try:
        with (
            steady_streams(),
            connected_ranks(place, surroundings.address, config["runtime"]["device"]),
        ):
            share_threads(place, threads)
            if place.rank == 0:
                observers = [Relay(messages)] if relayed else []
                value = run(config, folder, overrides, hydra, observers, hparam_keys)
            else:
                value = follow_first(config, folder)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is nothing left to close
        messages.send(("done", value))
    except SystemExit:  # SIGTERM: files are closed, now it ends the process
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    except BaseException as error:
        messages.send(("failed", error_to_send(error)))
        sys.stdout.flush()
        os._exit(FAILED)  # the connections to the other ranks may be broken


def settle_in(surroundings: Surroundings) -> None:
    """Take over the folder, variables and streams of the starting process, and end with it.

    Signals are the starting process's matter, which passes them on to rank 0.
    """
    exit_with_parent(STARTER_GONE)
    if surroundings.place.rank == 0:
        stopped_by_parent()
    else:
        ignore_signals()
    os.chdir(surroundings.folder)
    os.environ.clear()
    os.environ.update(surroundings.environment)
    for number, stream in ((1, surroundings.output), (2, surroundings.errors)):
        os.dup2(stream.descriptor, number)
        os.close(stream.descriptor)


def share_threads(place: Ranks, threads: int | None = None) -> None:
    """Divide threads, by default those of PyTorch, among the ranks on this machine."""
    torch.set_num_threads(max(1, (threads or torch.get_num_threads()) // place.local_size))


def error_to_send(error: BaseException) -> BaseException:
    """Return an error as the starting process can raise it.

    An unexpected error becomes a RuntimeError with the rank's traceback.
    """
    if isinstance(error, Message | PrunedError | OwnCodeError | LostRankError):
        return error
    if is_out_of_memory(error):
        return MemoryError(str(error))
    log.info("This rank has failed", exc_info=error)  # the other ranks have no log
    own = user_code_message(error)
    refused = refused_by_the_system(error)
    if refused is not None and not own:
        return refused
    return OwnCodeError(own) if own else RuntimeError("".join(traceback.format_exception(error)))
