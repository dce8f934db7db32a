"""Time the phases of the training loop, by wrapping its functions and not by changing it.

The phases are these functions; when the loop changes, this module has to change:

- data: waiting for the batches that ``Observer.watch`` receives, and ``Split.fetch``
- augment, forward (loss and penalties too), update: functions of the recipe and the state
- prepare: ``Standardize.__call__`` and ``recipe.prepare``
- backward: ``torch.autograd.backward``
- update: also ``torch._fused_adam_`` and similar functions, for a loop that calls them itself
- metrics: ``Meter.add`` and ``Meter.read``
- validation: ``train.fit.run_evaluation``
- observers: ``Observer.epoch`` of every observer

Everything else is ``other``. No CUDA graph is captured, because its phases could not be timed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from unittest import mock

import torch

from dlcourse.core import Observer, Standardize, State
from dlcourse.timing.interleave import AROUND, STEP_PHASES
from dlcourse.timing.training import TimedTraining
from dlcourse.timing.worker import wait_for_device
from dlcourse.train import fit as loop
from dlcourse.train.meter import Meter

FUSED = ("_fused_adam_", "_fused_adamw_", "_fused_sgd_")


class Clock:
    """Adds up seconds by phase; the time of an inner phase does not count for the outer one.

    ``validation`` and ``observers`` are not divided into inner phases.
    """

    def __init__(self) -> None:
        self.seconds = no_seconds()
        self.stack = ["other"]
        self.since = perf_counter()

    def enter(self, phase: str) -> None:
        """Start a phase inside the current one."""
        self.settle()
        self.stack.append(self.stack[-1] if self.stack[-1] in AROUND else phase)

    def leave(self) -> None:
        """End the current phase and return to the outer one."""
        self.settle()
        self.stack.pop()

    def settle(self) -> None:
        """Add the time since the last change of phase to the current phase."""
        wait_for_device()
        now = perf_counter()
        self.seconds[self.stack[-1]] += now - self.since
        self.since = now

    def around(self, phase: str, function: Callable) -> Callable:
        """Return a function whose calls are timed as a phase."""

        def measured(*given, **named):
            self.enter(phase)
            try:
                return function(*given, **named)
            finally:
                self.leave()

        return measured

    def batches(self, source: Iterable) -> Iterator:
        """Yield the batches; waiting for the next one is the phase ``data``."""
        remaining = iter(source)
        take = self.around("data", lambda: next(remaining, None))
        while (batch := take()) is not None:
            yield batch


def no_seconds() -> dict[str, float]:
    """Return 0 seconds for every phase."""
    return dict.fromkeys((*STEP_PHASES, *AROUND), 0.0)


class Watch(Observer):
    """Times the waiting for batches; has to be the first observer."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def watch(self, batches: Iterable, count: int) -> Iterable:
        return self.clock.batches(batches)


class Timed(Observer):
    """Forwards the calls to an observer; times those at the end of an epoch as ``observers``."""

    def __init__(self, observer: Observer, clock: Clock) -> None:
        self.start, self.watch = observer.start, observer.watch
        self.epoch = clock.around("observers", observer.epoch)


class Laps(Observer):
    """Records the seconds by phase of every epoch, in ``laps``."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.laps = clock, []

    def epoch(self, state: State) -> None:
        self.clock.settle()
        self.laps.append(self.clock.seconds)
        self.clock.seconds = no_seconds()


def measured_epochs(
    ours: TimedTraining, observers: Sequence[Observer], epochs: int
) -> list[dict[str, float]]:
    """Train one epoch, then ``epochs`` more that are timed; return each one's seconds by phase."""
    clock = Clock()
    laps = Laps(clock)
    with clocks(ours, clock):
        watching = [Watch(clock), *(Timed(observer, clock) for observer in observers), laps]
        ours.run(epochs + 1, watching, timed_recipe(ours, clock))
    return laps.laps[1:]


def timed_recipe(ours: TimedTraining, clock: Clock):
    """Return the recipe with a clock around its functions."""
    recipe = ours.recipe
    return replace(
        recipe,
        loss=clock.around("forward", recipe.loss),
        penalties=[clock.around("forward", penalty) for penalty in recipe.penalties],
        augment=[clock.around("augment", augment) for augment in recipe.augment],
        clip=clock.around("update", recipe.clip),
        constraints=[clock.around("update", constrain) for constrain in recipe.constraints],
        prepare=clock.around("prepare", recipe.prepare),
        graph=lambda function, state: function,
    )


@contextmanager
def clocks(ours: TimedTraining, clock: Clock) -> Iterator[None]:
    """Time the functions that are not in the recipe, within the block."""
    state: State = ours.state
    handles = [
        state.model.register_forward_pre_hook(lambda *_: clock.enter("forward")),
        state.model.register_forward_hook(lambda *_: clock.leave(), always_call=True),
    ]
    changed = [
        (torch.autograd, "backward", "backward"),
        (Standardize, "__call__", "prepare"),
        (Meter, "add", "metrics"),
        (Meter, "read", "metrics"),
        (loop, "run_evaluation", "validation"),
        (type(ours.fold.train), "fetch", "data"),
        (state.optimizer, "step", "update"),
        (state.optimizer, "zero_grad", "update"),
        *((torch, name, "update") for name in FUSED if hasattr(torch, name)),
    ]
    patches = [
        mock.patch.object(owner, name, clock.around(phase, getattr(owner, name)))
        for owner, name, phase in changed
    ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()
        for handle in handles:
            handle.remove()
