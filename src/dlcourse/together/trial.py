"""Time a step of several lanes with every engine, on copies of the lanes."""

import gc
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from time import perf_counter
from typing import Any

import torch

from dlcourse.core import State
from dlcourse.machine.fused_step import FusedStep, use_fused_kernels
from dlcourse.together.engine import Engine, MakeEngine
from dlcourse.together.lane import Lane
from dlcourse.together.turn import RandomNumbers, Turn
from dlcourse.train.fit import Next, train_runner
from dlcourse.train.step import set_train_mode

SAMPLE = 4  # lanes whose steps one after another are timed
WARM_UP = 3  # steps that choose kernels, make the optimizer's state and capture CUDA graphs
PAIRS = 5  # of steps that are timed, at least
GAIN = 1.05
"""An engine is chosen only if its step is faster by more than this factor."""


def time_engines(
    lanes: Sequence[Lane],
    engines: Mapping[str, MakeEngine],
    seconds: float,
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the speed of each engine's step in multiples of one after another, and failures.

    The failures are reasons by the engine's name. Nothing of the lanes and of the random numbers is
    changed.

    seconds: for all timed steps together; at least ``PAIRS`` steps of every engine are timed.
    """
    kept = RandomNumbers()
    kept.keep()
    found, failed = {}, {}
    try:
        alone = [copy_of(lane) for lane in lanes[:SAMPLE]]
        for name, make in engines.items():
            try:
                turns = [copy_of(lane) for lane in lanes]
                engine = make(turns)
                if (problem := difference(alone, turns, engine)) is not None:
                    failed[name] = problem
                    continue
                found[name] = speedup(alone, turns, engine, seconds / len(engines))
            except Exception as error:  # a model may do anything
                failed[name] = f"{name}: {first_line(error)}"
    finally:
        kept.restore()
        if torch.cuda.is_initialized():
            gc.collect()  # a model and its optimizer form a cycle, which keeps the GPU's memory
    return found, failed


def copy_of(lane: Lane) -> Turn:
    """Return a copy of a lane that waits for the first step of an epoch."""
    model, optimizer, averaged = deepcopy(
        (lane.state.model, lane.state.optimizer, lane.state.averaged)
    )
    if isinstance(lane.state.optimizer.step, FusedStep):
        use_fused_kernels(optimizer)
    state = State(model, optimizer, lane.state.scaler, averaged)
    set_train_mode(model)
    turn = Turn(replace(lane, state=state), lambda lane: nullcontext(), draws=True)
    turn.random.keep()
    size = min(lane.recipe.batch_size, len(lane.fold.train))
    index = torch.arange(size, device=lane.fold.train.device)
    turn.next = Next(train_runner(state, lane.fold, lane.recipe), (index,))
    return turn


def difference(alone: Sequence[Turn], turns: Sequence[Turn], engine: Engine) -> str | None:
    """Run the first step of both; return a message if an engine's mean losses are others."""
    for turn in alone:
        if turn.next is not None and not turn.next.runner.meter.numbers:
            turn.step()
    engine.step(turns)
    for one, other in zip(alone, turns, strict=False):
        losses = [first_loss(turn) for turn in (one, other)]
        if None in losses:
            continue
        ours, theirs = losses
        if not torch.allclose(ours, theirs, rtol=0.02, atol=1e-3, equal_nan=True):
            return f"{engine.name}: a loss of {float(theirs):.6g} instead of {float(ours):.6g}"
    return None


def first_loss(turn: Turn) -> Any:
    """Return the loss of a lane's first step; None where it has been added up already."""
    assert turn.next is not None
    pending = turn.next.runner.meter.pending
    return pending[0][2].double() if pending else None


def speedup(alone: Sequence[Turn], turns: Sequence[Turn], engine: Engine, seconds: float) -> float:
    """Return how many times as fast a joint step is, by the fastest of alternating steps.

    Other programs on the machine can only make a step slower.
    """

    def timed(step: Callable[[], object]) -> float:
        start = perf_counter()
        step()
        if turns[0].lane.fold.train.device.type == "cuda":
            torch.cuda.synchronize()
        return perf_counter() - start

    def in_turn() -> None:
        for turn in alone:
            turn.step()

    def joint() -> None:
        engine.step(turns)

    times: list[tuple[float, float]] = []
    for _ in range(WARM_UP):
        in_turn()
        joint()
    until = perf_counter() + seconds
    while len(times) < PAIRS or perf_counter() < until:
        times.append((timed(in_turn), timed(joint)))
    fastest_alone, fastest_joint = map(min, zip(*times, strict=True))
    return fastest_alone * len(turns) / len(alone) / fastest_joint


def first_line(error: Exception) -> str:
    """Return the first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
