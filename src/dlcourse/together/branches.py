"""The engine ``branches``: the ordinary steps of all lanes as parallel branches of a CUDA graph."""

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from dlcourse.machine.cuda_graph import GraphedFunction, capture_graph, first_cause
from dlcourse.together.turn import Turn
from dlcourse.train.update import NonFiniteStep

STREAMS = 16
"""Branches that run at the same time. A step of 32 LeNets on one H200 took 4.4 ms with 4, 3.1 ms
with 8, 2.8 ms with 16 and 3.0 ms with 32; one after another, each as a graph, 12.1 ms."""

log = logging.getLogger(__name__)


class Branches:
    """Trains lanes by their ordinary steps, which run side by side on several CUDA streams.

    The first step runs eagerly, the next are one CUDA graph, which is captured again when a lane
    ends. Steps of other batch sizes, such as the last of an epoch, run eagerly. Augmentation and
    dropout of all lanes draw from one generator, so that results are equal to those alone in
    distribution.
    """

    name = "branches"

    def __init__(self, turns: Sequence[Turn]) -> None:
        self.device = turns[0].lane.fold.train.device
        on_cuda = self.device.type == "cuda"
        count = min(STREAMS, len(turns))
        self.streams: list[Any] = [torch.cuda.Stream() for _ in range(count)] if on_cuda else []
        self.arrange(turns)
        self.impossible = not on_cuda

    def arrange(self, turns: Sequence[Turn]) -> None:
        """Train these lanes, the only ones from now on."""
        self.turns = list(turns)
        self.runners = [turn.next and turn.next.runner for turn in turns]
        self.warm = False
        self.replay: Callable[[], None] | None = None
        self.index: Tensor | None = None  # (K, N), the memory that the graph reads

    def keep(self, turns: Sequence[Turn]) -> None:
        """Leave out lanes that have ended, and capture again the steps of those that changed."""
        runners = [turn.next and turn.next.runner for turn in turns]
        if runners != self.runners:  # a lane that has gone back to a checkpoint has a new one
            self.arrange(turns)

    def step(self, turns: Sequence[Turn]) -> None:
        """Run the next steps of some lanes, whose batches have the same size."""
        started = perf_counter()
        index = torch.stack([turn.next.batch[0] for turn in turns if turn.next is not None])
        usual = len(turns) == len(self.turns) and self.fits(index)
        if not usual or self.impossible or not self.warm:
            self.warm = self.warm or usual
            self.side_by_side(turns, index)
        elif self.replay is not None and self.index is not None:
            self.index.copy_(index)
            self.replay()
        else:
            self.capture(turns, index)
        share = (perf_counter() - started) / len(turns)
        for turn in turns:
            turn.clock.seconds += share

    def fits(self, index: Tensor) -> bool:
        """Return whether a batch has the size of the first one of all lanes."""
        self.index = index.clone() if self.index is None else self.index
        return self.index.shape == index.shape

    def capture(self, turns: Sequence[Turn], index: Tensor) -> None:
        """Capture the steps as one graph and run it; without success, run eagerly from now on."""
        fixed = self.index = index.clone()
        try:
            self.replay = capture_graph(lambda: self.side_by_side(turns, fixed), ())
        except RuntimeError as error:
            reason = str(first_cause(error)).split("\n")[0]
            log.warning("Continuing without a CUDA graph, its capture failed: %s", reason)
            self.impossible = True
            self.side_by_side(turns, index)
        else:
            self.replay()

    def side_by_side(self, turns: Sequence[Turn], index: Tensor) -> None:
        """Launch the ordinary step of each lane on its stream; index (G, N)."""
        main: Any = torch.cuda.current_stream() if self.streams else None
        for stream in self.streams:
            stream.wait_stream(main)
        try:
            for number, (turn, own) in enumerate(zip(turns, index.unbind(), strict=True)):
                stream = self.streams[number % len(self.streams)] if self.streams else None
                with torch.cuda.stream(stream) if stream else nullcontext(), turn.random_numbers():
                    try:
                        ordinary_step(turn)(own)
                    except NonFiniteStep as error:
                        turn.failed = error
        finally:
            for stream in self.streams:
                main.wait_stream(stream)


def ordinary_step(turn: Turn) -> Callable[..., None]:
    """Return a lane's step as a function of the indices of its batch, without a graph."""
    assert turn.next is not None
    process = turn.next.runner.process
    return process.function if isinstance(process, GraphedFunction) else process


def can_be_captured(turn: Turn) -> bool:
    """Return whether a lane's steps alone would be replayed as a CUDA graph."""
    return turn.next is not None and isinstance(turn.next.runner.process, GraphedFunction)
