"""Run one job of a sweep in a process of its own."""

import io
import os
import sys
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

from omegaconf import DictConfig, OmegaConf

from dlcourse.errors import (
    FileError,
    Message,
    OutOfMemoryError,
    OwnCodeError,
    PrunedError,
    RankError,
    UserError,
)
from dlcourse.schema.compose import hydra_of_job
from dlcourse.schema.hydra_api import set_up_logging, typed_overrides
from dlcourse.schema.run_files import OUTPUT
from dlcourse.terminal.command import (
    FAILED,
    INTERRUPTED,
    WRONG,
    exit_with_parent,
    print_message,
)
from dlcourse.terminal.stop_signals import stopped_by_parent
from dlcourse.terminal.streams import silence_failures
from dlcourse.terminal.user_code import user_code_message

ORPHAN = 3  # exit status of a job whose sweep no longer runs


def run_job_process(
    sweep: Connection,
    cfg: DictConfig,
    config: dict,
    folder: Path,
    hparam_keys: list[str],
    threads: int,
    gpu: str | None,
    pruned: bool,
    cwd: str,
) -> None:
    """Run one job in its folder, as ``python train.py`` with its overrides would.

    Its output goes to ``output.txt``. Sends ``("epoch", number, value)`` to the sweep after every
    epoch, and at the end ``("done",)``, ``("pruned",)`` or ``("failed", reason, final)``. The exit
    status is that of a single run.

    threads: its CPU threads. gpu: the only GPUs that it sees, ``"0"`` or ``"0,1"``; None to leave
        the choice as it is.
    pruned: wait after every epoch whether to continue. cwd: the sweep's working directory.
    """
    exit_with_parent(ORPHAN)
    os.chdir(cwd)
    redirect_output(folder)
    silence_failures()
    stopped_by_parent()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    hydra = hydra_of_job(cfg, folder)
    set_up_logging(hydra.hydra)
    import torch

    from dlcourse.engine.hidden_secrets import hiding
    from dlcourse.engine.job import run_job
    from dlcourse.sweep.reporter import Reporter

    torch.set_num_threads(threads)
    failed: Exception | None = None
    try:
        run_job(
            config,
            folder.absolute(),
            typed_overrides(hydra),
            hydra=OmegaConf.to_yaml(hydra),
            observers=[Reporter(sweep, pruned=pruned)],
            hparam_keys=hparam_keys,
        )
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        failed = error
    status = send_ending(sweep, failed, hiding(config))
    if status:
        sys.exit(status)


def send_ending(
    sweep: Connection, error: Exception | None, hide: Callable[[str], str] = str
) -> int:
    """Print a job's error, send the sweep how the job has ended, and return its exit status.

    hide: replaces the secrets of the job's config in a text.
    """
    if error is None:
        sweep.send(("done",))
        return 0
    if isinstance(error, PrunedError):
        sweep.send(("pruned",))
        return 0
    if isinstance(error, Message | OwnCodeError):
        print_message(error)
        sweep.send(("failed", hide(str(error).splitlines()[0]), not may_pass(error)))
        return WRONG if isinstance(error, UserError) else FAILED
    print(hide("".join(traceback.format_exception(error))), file=sys.stderr, end="")
    message = str(error).strip().splitlines()
    where = user_code_message(error).partition("\n")[0].rpartition(" in ")[2]
    place = f" in {where.rstrip('.')}" if where else ""
    reason = f"{type(error).__name__}{place}: {message[0] if message else ''}"
    sweep.send(("failed", hide(reason), False))
    return FAILED


def may_pass(error: Exception) -> bool:
    """Return whether a job may succeed if it is run again: memory or a disk was full."""
    return isinstance(error, FileError | OutOfMemoryError | RankError)


def redirect_output(folder: Path) -> None:
    """Redirect stdout and stderr of the process, whatever library prints, to ``output.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    file = os.open(folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(file, stream.fileno())
    os.close(file)
    # line by line, as on a terminal, so that output before a crash is not lost
    for stream in (sys.stdout, sys.stderr):
        cast(io.TextIOWrapper, stream).reconfigure(
            line_buffering=True, encoding="utf-8", errors="backslashreplace"
        )
