"""The output of several jobs that take turns in one process."""

import io
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from omegaconf import DictConfig

from dlcourse.schema.hydra_api import set_up_logging
from dlcourse.schema.run_files import OUTPUT
from dlcourse.terminal.streams import SafeStream


class JobOutput:
    """Where a job prints and logs. file: its ``output.txt``. handlers: of its log records."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / OUTPUT
        file = path.open("a", buffering=1, encoding="utf-8", errors="backslashreplace")
        self.file: Any = SafeStream(file)
        self.handlers: Sequence[logging.Handler] = ()


class Outputs(io.TextIOBase):
    """A text stream whose text goes to the file of the job whose turn it is.

    It takes the place of stdout and of stderr. Changing the turn writes nothing and calls nothing
    of the system, because it happens at every training step of every job.
    """

    encoding = "utf-8"

    def __init__(self, otherwise: TextIO) -> None:
        self.otherwise = otherwise
        self.current: JobOutput | None = None

    def write(self, text: str) -> int:
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.otherwise.fileno()

    @property
    def stream(self) -> TextIO:
        """The stream of the job whose turn it is; between turns that of the process."""
        return self.otherwise if self.current is None else self.current.file

    @contextmanager
    def turn_of(self, job: JobOutput) -> Iterator[None]:
        """Pass all text and log records of the block to a job."""
        before, self.current = self.current, job
        try:
            yield
        finally:
            self.current = before


class JobLogs(logging.Handler):
    """Passes log records to the handlers of the job whose turn it is."""

    def __init__(self, outputs: Outputs) -> None:
        super().__init__()
        self.outputs = outputs

    def emit(self, record: logging.LogRecord) -> None:
        job = self.outputs.current
        for handler in () if job is None else job.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)


def divide_output(configs: Sequence[tuple[Path, DictConfig]]) -> tuple[Outputs, list[JobOutput]]:
    """Give every job its own stdout, stderr and log; return the outputs, and that of each job.

    configs: the folder of each job, and Hydra's part of its config.
    """
    outputs = Outputs(sys.stdout)
    sys.stdout = sys.stderr = outputs
    jobs = []
    root = logging.getLogger()
    for folder, hydra in configs:
        job = JobOutput(folder)
        with outputs.turn_of(job):
            set_up_logging(hydra)
        job.handlers = root.handlers[:]
        jobs.append(job)
    root.handlers[:] = [JobLogs(outputs)]
    return outputs, jobs
