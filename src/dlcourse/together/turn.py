"""A lane in training: its next step, its own random numbers and its own time."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter
from typing import Any

import numpy as np
import torch

from dlcourse.atomic_files import written_later
from dlcourse.terminal.stop_signals import stop_requested
from dlcourse.together.lane import Lane
from dlcourse.train.fit import Next, training


class LaneClock:
    """Returns the seconds of one lane: those in which only this lane runs, and its shares."""

    def __init__(self) -> None:
        self.seconds, self.since = 0.0, 0.0

    def __call__(self) -> float:
        return self.seconds + perf_counter() - self.since

    def start(self) -> None:
        """Count from now on."""
        self.since = perf_counter()

    def stop(self) -> None:
        """Stop counting."""
        self.seconds += perf_counter() - self.since


class RandomNumbers:
    """The states of the global random number generators of the CPU, for one lane."""

    def __init__(self) -> None:
        self.states: tuple[Any, Any, Any] | None = None

    def restore(self) -> None:
        """Continue with the lane's random numbers."""
        if self.states is not None:
            torch.set_rng_state(self.states[0])
            np.random.set_state(self.states[1])
            random.setstate(self.states[2])

    def keep(self) -> None:
        """Keep the states, before another lane uses the generators."""
        self.states = (torch.get_rng_state(), np.random.get_state(), random.getstate())


class Turn:
    """A lane in training, which waits for its next step.

    context: what to enter around everything that is done for this lane alone.
    draws: whether a training step of this lane draws random numbers.
    """

    def __init__(
        self, lane: Lane, context: Callable[[Lane], AbstractContextManager], draws: bool
    ) -> None:
        self.lane, self.context, self.draws = lane, context, draws
        self.clock, self.random = LaneClock(), RandomNumbers()
        self.steps = training(lane.state, lane.fold, lane.recipe, lane.observers, self.clock)
        self.failed: Exception | None = None
        self.stopped: BaseException | None = None
        self.writings: list[Callable[[], None]] = []
        self.next: Next | None = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Enter what is this lane's own: its context, random numbers and time."""
        with self.context(self.lane), self.random_numbers():
            self.clock.start()
            try:
                yield
            finally:
                self.clock.stop()

    @contextmanager
    def random_numbers(self) -> Iterator[None]:
        """Draw random numbers as if this lane were the only one."""
        if self.draws:
            self.random.restore()
        try:
            yield
        finally:
            if self.draws:
                self.random.keep()

    def advance(self) -> bool:
        """Do everything up to the next step, or to the end; return whether there is a next step.

        An error of the lane's last step is raised where the training waits for it. An error that
        ends the training is kept in ``lane.error``. Its checkpoints are written by ``write``. What
        a signal has raised is kept in ``stopped`` until the other lanes have stopped too.
        """
        failed, self.failed = self.failed, None
        with self.alone(), written_later() as self.writings:
            try:
                self.next = next(self.steps) if failed is None else self.steps.throw(failed)
            except StopIteration:
                self.next = None
            except Exception as error:
                self.lane.error, self.next = error, None
            except (KeyboardInterrupt, SystemExit) as stopped:
                if not stop_requested():
                    raise
                self.stopped, self.next = stopped, None
        return self.next is not None

    def write(self) -> None:
        """Write the lane's checkpoints; an error is that of its next step, or ends the lane."""
        try:
            for writing in self.writings:
                writing()
        except Exception as error:
            if self.next is None:
                self.lane.error = self.lane.error or error
            self.failed = error

    def step(self) -> None:
        """Run the next step by itself, as ``train.fit.fit`` does."""
        assert self.next is not None
        with self.alone():
            try:
                self.next.runner.run(*self.next.batch)
            except Exception as error:
                self.failed = error

    @property
    def batch_size(self) -> int:
        """The number of examples of the next step."""
        assert self.next is not None
        return len(self.next.batch[0])
