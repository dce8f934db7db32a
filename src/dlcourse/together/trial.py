"""Time a step of several lanes with every engine, on copies of the lanes."""

import gc
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from time import perf_counter

import torch
from torch import Tensor

from dlcourse.core import State, at_least_float32
from dlcourse.machine.fused_step import FusedStep, use_fused_kernels
from dlcourse.together.engine import Engine, MakeEngine
from dlcourse.together.lane import Lane
from dlcourse.together.turn import RandomNumbers, Turn
from dlcourse.train.fit import Next, train_runner
from dlcourse.train.step import set_train_mode

SAMPLE = 4  # lanes whose steps one after another are timed
FIRST_STEPS = 3  # on CUDA: they choose kernels and capture graphs
MIN_PAIRS, MAX_PAIRS = 3, 12  # of steps that are timed
SHARE_OF_TRIAL = 0.03  # of the time that the training takes; more pairs are not timed
OUTPUT_TOLERANCE = 0.05  # of the largest output: for half precision
PATCHED = {"step", "zero_grad"}  # by ``machine.fused_step``
MIN_GAIN = 1.05
"""An engine is chosen only if its step is faster by more than this factor."""


def time_engines(
    lanes: Sequence[Lane],
    engines: Mapping[str, MakeEngine],
    steps: int = 0,
) -> tuple[dict[str, float], dict[str, str]]:
    """Return the speed of each engine's step in multiples of one after another, and failures.

    The failures are reasons by the engine's name. Nothing of the lanes and of the random numbers is
    changed.

    steps: of the training, which bounds the time of the trial; with 0 nothing is measured, and
        every engine that works has a speed of NaN.
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
                found[name] = speedup(alone, turns, engine, steps) if steps else math.nan
            except Exception as error:  # a model may do anything
                failed[name] = f"{name}: {first_line(error)}"
    finally:
        kept.restore()
        if torch.cuda.is_initialized():
            gc.collect()  # a model and its optimizer form a cycle, which keeps the GPU's memory
    return found, failed


def copy_of(lane: Lane) -> Turn:
    """Return a copy of a lane that waits for the first step of an epoch."""
    optimizer = lane.state.optimizer
    memo: dict = {}
    model, averaged = deepcopy((lane.state.model, lane.state.averaged), memo)
    other = object.__new__(type(optimizer))  # deepcopy would leave out a derived class's attributes
    memo[id(optimizer)] = other
    own = {name: value for name, value in vars(optimizer).items() if name not in PATCHED}
    vars(other).update(deepcopy(own, memo))
    if isinstance(optimizer.step, FusedStep):
        use_fused_kernels(other)
    state = State(model, other, lane.state.scaler, averaged)
    set_train_mode(model)
    turn = Turn(replace(lane, state=state), lambda lane: nullcontext(), draws=True)
    turn.random.keep()
    size = min(lane.recipe.batch_size, len(lane.fold.train))
    index = torch.arange(size, device=lane.fold.train.device)
    turn.next = Next(train_runner(state, lane.fold, lane.recipe), (index,))
    return turn


def difference(alone: Sequence[Turn], turns: Sequence[Turn], engine: Engine) -> str | None:
    """Run the first step of both; return a message if an engine's outputs are others."""
    for turn in alone:
        if first_outputs(turn) is None:
            turn.step()
    engine.step(turns)
    for one, other in zip(alone, turns, strict=False):
        ours, theirs = first_outputs(one), first_outputs(other)
        if one.failed or other.failed:
            return f"{engine.name}: {first_line(one.failed or other.failed)}"
        if ours is None or theirs is None or theirs.isnan().any():
            continue
        largest = float(ours.abs().max())
        gap = float((ours - theirs).abs().max())
        if not gap <= OUTPUT_TOLERANCE * largest:
            return f"{engine.name}: outputs of up to {largest:.3g} differ by {gap:.3g}"
    return None


def first_outputs(turn: Turn) -> Tensor | None:
    """Return the outputs of a lane's first step; None where they have been added up already."""
    assert turn.next is not None
    pending = turn.next.runner.meter.pending
    return at_least_float32(pending[0][0]) if pending else None


def speedup(alone: Sequence[Turn], turns: Sequence[Turn], engine: Engine, steps: int) -> float:
    """Return how many times as fast a joint step is, by the fastest of alternating steps.

    Other programs on the machine can only make a step slower.
    """

    def timed(step: Callable[[], object]) -> float:
        start = perf_counter()
        step()
        if on_cuda:
            torch.cuda.synchronize()
        return perf_counter() - start

    def in_turn() -> None:
        for turn in alone:
            turn.step()

    def joint() -> None:
        engine.step(turns)

    on_cuda = turns[0].lane.fold.train.device.type == "cuda"
    for _ in range(FIRST_STEPS if on_cuda else 1):
        in_turn()
        joint()
    times = []
    while len(times) < MAX_PAIRS:
        times.append((timed(in_turn), timed(joint)))
        one = times[0][0] * len(turns) / len(alone)
        if len(times) >= MIN_PAIRS and sum(map(sum, times)) > SHARE_OF_TRIAL * steps * one:
            break
    fastest_alone, fastest_joint = map(min, zip(*times, strict=True))
    return fastest_alone * len(turns) / len(alone) / fastest_joint


def first_line(error: Exception | None) -> str:
    """Return the first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
