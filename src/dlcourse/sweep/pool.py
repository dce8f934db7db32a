"""A few processes at a time, one for each job."""

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

from dlcourse.sweep.job import Job
from dlcourse.sweep.worker import work

PATIENCE = 10.0  # seconds that a process is given to end by itself


@dataclass
class Place:
    """One of the pool's places and the job that has it.

    last: the epoch it told of last, with its figure. told: its last word.
    """

    job: Job
    process: BaseProcess
    messages: Connection
    gpu: str | None
    started: float
    last: tuple[int, float] | None = None
    told: tuple = ()

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return monotonic() - self.started

    def answer(self, go_on: bool) -> None:
        """Tell a job that asks after every epoch whether to go on."""
        with suppress(OSError):  # it has been killed in the meantime
            self.messages.send(go_on)


class Pool:
    """Runs jobs in processes of their own, forked from one that has imported PyTorch already.

    A fork has its own memory, so nothing that a job does is seen by another; where there is no
    fork, each process starts afresh and imports for itself.

    workers: how many at a time. threads: of each, on the CPU. gpus: the names by which CUDA knows
    them; each job gets the one that the fewest others have, and sees no other.
    """

    def __init__(self, workers: int, threads: int, gpus: Sequence[str] = ()) -> None:
        self.workers, self.threads, self.gpus = workers, threads, gpus
        self.context = context()
        self.places: list[Place] = []

    @property
    def has_room(self) -> bool:
        """Whether one more job may start."""
        return len(self.places) < self.workers

    def start(self, job: Job, *, pruned: bool = False) -> None:
        """Start a job; pruned: it asks after every epoch whether to go on."""
        ours, theirs = self.context.Pipe()
        gpu = self.free_gpu() if job.takes_any_gpu else None
        options = (self.threads, gpu, pruned, os.getcwd())
        told = (job.cfg, job.config, job.folder, job.telling, *options)
        process = self.context.Process(target=work, args=(theirs, *told))
        process.start()
        theirs.close()
        self.places.append(Place(job, process, ours, gpu, monotonic()))

    def free_gpu(self) -> str | None:
        """Return the GPU that the fewest jobs have; None where there is none to be handed out."""
        taken = [place.gpu for place in self.places]
        return min(self.gpus, key=taken.count, default=None)

    def events(self, timeout: float | None = None) -> Iterator[tuple[Place, str, Any]]:
        """Wait until something happens and yield it.

        ``(place, "epoch", (number, figure))`` or ``(place, "ended", status)``: by then ``told`` has
        the job's last message, empty if it ended without a word.
        """
        sources = [source for p in self.places for source in (p.messages, p.process.sentinel)]
        wait(sources, timeout)
        for place in list(self.places):
            yield from self.listen(place)
            if not place.process.is_alive():
                place.process.join()
                yield from self.listen(place)
                self.places.remove(place)
                place.messages.close()
                yield place, "ended", place.process.exitcode

    def listen(self, place: Place) -> Iterator[tuple[Place, str, Any]]:
        """Yield the epochs that a job has told of, and keep its last word."""
        try:
            while place.messages.poll():
                kind, *content = place.messages.recv()
                if kind == "epoch":
                    place.last = tuple(content)
                    yield place, kind, tuple(content)
                else:
                    place.told = (kind, *content)
        except (EOFError, ConnectionError):
            return

    def stop(self) -> None:
        """End every job that runs; each has its last epoch on the disk."""
        for place in self.places:
            place.process.terminate()
        for place in self.places:
            place.process.join(PATIENCE)
            if place.process.is_alive():
                place.process.kill()
                place.process.join()
            place.messages.close()
        self.places.clear()


def context() -> Any:
    """Return the way of starting processes: forked from a warm one, or afresh where none forks."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["dlcourse.sweep.warm"])
    return found


def threads_of_each(workers: int) -> int:
    """Return how many CPU threads each of so many jobs gets."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max((cores or 1) // workers, 1)


def reason_of(place: Place, status: int | None) -> str:
    """Return why a job has ended without a result."""
    if place.told and place.told[0] == "failed":
        return place.told[1]
    return ending(status, ", without a result and without a word")


def ending(status: int | None, more: str = "") -> str:
    """Return how a process has ended that has not said why; more: what to add to its status."""
    if status is not None and status < 0:
        name = Signals(-status).name if -status in set(Signals) else f"signal {-status}"
        hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"ended by {name}{hint}"
    return f"ended with status {status}{more}"
