"""A job in the hands of one of Hydra's launchers, on whatever machine."""

import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.types import TaskFunction
from omegaconf import DictConfig

from dlcourse.errors import DivergedError, UserError
from dlcourse.sweep.worker import redirect_output


class RemoteEnding(NamedTuple):
    """How a job says it has ended: why it failed, or None; final: it would fail so again."""

    reason: str | None
    final: bool = False


def run_remote_job(
    task: TaskFunction, environment: dict[str, str], cfg: DictConfig
) -> RemoteEnding:
    """Carry out a job wherever a launcher has put it; what it says goes to its ``output.txt``.

    Works in the folder from which the sweep was started, where relative paths lead from and the
    user's own modules lie. An error is told, not raised: not every one survives the way back.
    SystemExit passes: submitit ends so a job that has run out of time and will be started again.
    environment: variables that not every launcher brings along.
    """
    os.environ.update(environment)
    runtime = HydraConfig.get().runtime
    os.chdir(runtime.cwd)
    if runtime.cwd not in sys.path:
        sys.path.append(runtime.cwd)
    with redirected_output(Path(runtime.output_dir)):
        try:
            task(cfg)
        except (UserError, DivergedError) as error:
            print(f"dlcourse: {error}", file=sys.stderr)
            return RemoteEnding(str(error).splitlines()[0], final=True)
        except Exception as error:
            traceback.print_exc()
            return RemoteEnding(reason_of_error(error))
    return RemoteEnding(None)


@contextmanager
def redirected_output(folder: Path) -> Iterator[None]:
    """Let what is printed go to a job's ``output.txt``, until the process is free again."""
    before = [(stream, os.dup(stream.fileno())) for stream in (sys.stdout, sys.stderr)]
    redirect_output(folder)
    try:
        yield
    finally:
        for stream, file in before:
            stream.flush()
            os.dup2(file, stream.fileno())
            os.close(file)


def reason_of_error(error: Exception) -> str:
    """Return in one line why a job has failed."""
    text = str(error).strip()
    died = re.search(r"Job (\S+) .*has not produced any output \(state: (.*?)\)", text, re.DOTALL)
    if died:  # submitit's, with all that the job has printed behind it
        return f"job {died[1]} of the launcher has died, state {died[2]}"
    raised = re.search(r"failed during processing with trace:\n-+\n(.*?)\n-+\n", text, re.DOTALL)
    if raised:
        return raised[1].strip().splitlines()[-1]
    return f"{type(error).__name__}: {text.splitlines()[0] if text else ''}"
