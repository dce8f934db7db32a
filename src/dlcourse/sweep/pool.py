"""The pool of processes that run jobs, one process for each job."""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from signal import Signals
from time import monotonic
from typing import Any

from dlcourse.schema.duration import seconds
from dlcourse.schema.run_files import OUTPUT
from dlcourse.sweep.group_worker import Order, run_group_process
from dlcourse.sweep.job import Job
from dlcourse.sweep.worker import run_job_process
from dlcourse.terminal.out_of_memory import line_about_memory

STOP_TIMEOUT = 30.0  # seconds in which a job may write its checkpoint; as a cluster allows


@dataclass
class RunningJob:
    """A job in its process.

    messages: the connection to the process. gpu: its name, or several with commas between; None on
    the CPU.
    started: the time of the start in seconds, by ``monotonic``.
    last: the last reported epoch and its value.
    ending: the last message, ``("failed", reason, final)``; empty without one.
    group: the number of jobs that share the process.
    status: the exit status that a job of a group has reported; None before its end.
    late: why the sweep has stopped it; empty if it has not.
    """

    job: Job
    process: BaseProcess
    messages: Connection
    gpu: str | None
    started: float
    last: tuple[int, float] | None = None
    ending: tuple = ()
    group: int = 1
    status: int | None = None
    late: str = ""

    @property
    def seconds(self) -> float:
        """The time since the job was started."""
        return monotonic() - self.started

    def answer(self, should_continue: bool) -> None:
        """Send a job that waits after an epoch whether it should continue."""
        with suppress(OSError):  # the job has been killed in the meantime
            self.messages.send(should_continue)


class Pool:
    """Runs jobs in separate processes, forked from one that has imported PyTorch already.

    A fork has its own memory, so jobs cannot affect each other. On systems without fork, every
    process imports everything itself.

    workers: the number of jobs at a time. threads: CPU threads of each job. gpus: their names in
    ``CUDA_VISIBLE_DEVICES``; each job gets the ``runtime.devices`` GPUs with the fewest jobs, and
    sees only these.
    """

    def __init__(self, workers: int, threads: int, gpus: Sequence[str] = ()) -> None:
        self.workers, self.threads, self.gpus = workers, threads, gpus
        self.context = process_context()
        self.running: list[RunningJob] = []

    @property
    def has_room(self) -> bool:
        """Whether one more job may start."""
        return len({id(running.process) for running in self.running}) < self.workers

    def start(self, job: Job, *, pruned: bool = False) -> None:
        """Start a job; pruned: after every epoch it waits for ``answer``."""
        ours, theirs = self.context.Pipe()
        gpu = self.free_gpus(job.devices) if job.takes_any_gpu else None
        options = (self.threads, gpu, pruned, os.getcwd())
        arguments = (theirs, job.cfg, job.config, job.folder, job.keys, *options)
        process = self.context.Process(target=run_job_process, args=arguments)
        process.start()
        theirs.close()
        self.running.append(RunningJob(job, process, ours, gpu, monotonic()))

    def start_group(self, jobs: Sequence[Job]) -> None:
        """Start several jobs in one process, which trains their models together."""
        pipes = [self.context.Pipe() for _ in jobs]
        gpu = self.free_gpus() if jobs[0].takes_any_gpu else None
        orders = [
            Order(theirs, job.cfg, job.config, job.folder, job.keys)
            for job, (_, theirs) in zip(jobs, pipes, strict=True)
        ]
        arguments = (orders, self.threads, gpu, os.getcwd())
        process = self.context.Process(target=run_group_process, args=arguments)
        process.start()
        for job, (ours, theirs) in zip(jobs, pipes, strict=True):
            theirs.close()
            running = RunningJob(job, process, ours, gpu, monotonic(), group=len(jobs))
            self.running.append(running)

    def free_gpus(self, count: int = 1) -> str | None:
        """Return the ``count`` GPUs with the fewest jobs, ``"0,1"``; None where there are none."""
        taken = [gpu for running in self.running for gpu in (running.gpu or "").split(",")]
        return ",".join(sorted(self.gpus, key=taken.count)[:count]) or None

    def events(self, timeout: float | None = None) -> Iterator[tuple[RunningJob, str, Any]]:
        """Wait for events of the running jobs, at most ``timeout`` seconds, and yield them.

        An event is ``(running, "epoch", (number, value))`` or ``(running, "ended", exit status)``;
        in the second case ``running.ending`` is the job's last message.
        """
        sources = [one for job in self.running for one in (job.messages, job.process.sentinel)]
        wait(list(dict.fromkeys(sources)), timeout)  # the jobs of a group have one process
        for running in list(self.running):
            yield from self.receive(running)
            if running.status is None and not running.process.is_alive():
                running.process.join()
                yield from self.receive(running)
                running.status = running.process.exitcode
            if running.status is not None:
                self.running.remove(running)
                running.messages.close()
                yield running, "ended", running.status

    def stop_late(self, limit: str | float) -> None:
        """Stop the jobs that run for longer than a duration such as ``"30m"``.

        The process writes a checkpoint, and is killed if it does not end. The jobs of a group have
        the time of all of them together.
        """
        allowed = seconds(limit)
        assert allowed is not None
        for running in self.running:
            over = running.seconds - allowed * running.group
            if over > STOP_TIMEOUT:
                running.process.kill()
            elif over > 0:
                running.late = f"took longer than job_timeout={limit} and was stopped"
                running.process.terminate()

    def receive(self, running: RunningJob) -> Iterator[tuple[RunningJob, str, Any]]:
        """Yield the epochs that a job has reported, and keep its last message in ``ending``."""
        try:
            while running.messages.poll():
                kind, *content = running.messages.recv()
                if kind == "epoch":
                    number, value = content
                    running.last = number, value
                    yield running, kind, (number, value)
                elif kind == "exit":
                    (running.status,) = content
                else:
                    running.ending = (kind, *content)
        except (EOFError, ConnectionError):
            return

    def stop(self) -> None:
        """Let every running job write a checkpoint and stop; those that do not stop are killed."""
        end_processes([running.process for running in self.running], STOP_TIMEOUT)
        for running in self.running:
            running.messages.close()
        self.running.clear()


def end_processes(processes: Sequence[BaseProcess], patience: float) -> None:
    """Terminate processes; kill those that are still running after ``patience`` seconds.

    They are terminated every second: one that has just started ignores the signal. The jobs of a
    group have one process.
    """
    processes = list(dict.fromkeys(processes))
    until = monotonic() + patience
    while (alive := [one for one in processes if one.is_alive()]) and monotonic() < until:
        for process in alive:
            process.terminate()
        wait([process.sentinel for process in alive], 1.0)
    for process in alive:
        process.kill()
    for process in processes:
        process.join()


def process_context() -> Any:
    """Return the multiprocessing context: a fork server with PyTorch imported, else spawn."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["dlcourse.sweep.preload"])
    return found


def threads_of_each(workers: int) -> int:
    """Return the number of CPU threads of each job when ``workers`` jobs run at a time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max((cores or 1) // workers, 1)


def reason_of_end(running: RunningJob, status: int | None) -> str:
    """Return why a job has ended without a result."""
    if running.late:
        return running.late
    if running.ending and running.ending[0] == "failed":
        return running.ending[1]
    said = line_about_memory(running.job.folder / OUTPUT)
    return exit_text(status, f": {said}" if said else ", without a result and without a message")


def exit_text(status: int | None, more: str = "") -> str:
    """Return how a process ended, from its exit status; more: text after the status."""
    if status is not None and status < 0:
        name = Signals(-status).name if -status in set(Signals) else f"signal {-status}"
        hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"ended by {name}{hint}"
    return f"ended with status {status}{more}"
