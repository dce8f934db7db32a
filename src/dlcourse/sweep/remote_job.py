"""The function that a launcher of Hydra calls for a job, on any machine."""

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

from dlcourse.errors import Message, OwnCodeError
from dlcourse.sweep.worker import may_pass, redirect_output
from dlcourse.terminal.command import print_message


class RemoteEnding(NamedTuple):
    """How a job reports that it ended. reason: why it failed, or None. final: do not retry it."""

    reason: str | None
    final: bool = False


def run_remote_job(
    task: TaskFunction, environment: dict[str, str], cfg: DictConfig
) -> RemoteEnding:
    """Run a job on the machine that the launcher chose; its output goes to ``output.txt``.

    The working directory is that of the sweep's command, for relative paths and the user's own
    modules. Errors are returned, not raised, because not every exception can be pickled.
    SystemExit is raised: submitit uses it to end a job at its time limit and start it again.
    environment: variables to set, because not every launcher passes them on.
    """
    os.environ.update(environment)
    runtime = HydraConfig.get().runtime
    os.chdir(runtime.cwd)
    if runtime.cwd not in sys.path:
        sys.path.append(runtime.cwd)
    with redirected_output(Path(runtime.output_dir)):
        try:
            task(cfg)
        except (Message, OwnCodeError) as error:
            print_message(error)
            return RemoteEnding(str(error).splitlines()[0], final=not may_pass(error))
        except Exception as error:
            traceback.print_exc()
            return RemoteEnding(reason_of_error(error))
    return RemoteEnding(None)


@contextmanager
def redirected_output(folder: Path) -> Iterator[None]:
    """Redirect stdout and stderr to a job's ``output.txt`` within the block."""
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
    if died:  # submitit's message, followed by all that the job has printed
        return f"job {died[1]} of the launcher has died, state {died[2]}"
    raised = re.search(r"failed during processing with trace:\n-+\n(.*?)\n-+\n", text, re.DOTALL)
    if raised:
        return raised[1].strip().splitlines()[-1]
    return f"{type(error).__name__}: {text.splitlines()[0] if text else ''}"
