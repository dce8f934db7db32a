"""Train several lanes together, with the results of training each alone."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from dlcourse.together.branches import Branches
from dlcourse.together.choice import IN_TURN, EngineChoice, EnginePart
from dlcourse.together.engine import Engine, MakeEngine
from dlcourse.together.families import families, number_of_parameters, only_matrices
from dlcourse.together.lane import Lane
from dlcourse.together.masks import DROPOUTS
from dlcourse.together.products import Products
from dlcourse.together.stacked import Stacked
from dlcourse.together.trial import MIN_GAIN, time_engines
from dlcourse.together.turn import Turn

ENGINES: dict[str, MakeEngine] = {"stacked": Stacked, "products": Products, "branches": Branches}
FASTEST = "fastest"
MIN_STEPS = 300
"""Lanes of fewer steps are not measured: a trial takes as long as about 10 steps of all."""
FEW_LANES = 8
FEW_PARAMETERS = 10_000
"""Lanes that are not measured are stacked if there are ``FEW_LANES`` or more, and if they are
linear layers of at most this number of parameters; on CUDA they are branches. An MLP of 2,400 was
2.9 times as fast, one of 9,600 1.6 times, one of 25,000 1.3 times (forward and backward pass of
32, batches of 64, one CPU core)."""
WRITERS = 16  # threads that wait for the disk

Context = Callable[[Lane], AbstractContextManager]


def fit_together(
    lanes: Sequence[Lane],
    *,
    engine: str = FASTEST,
    context: Context = lambda lane: nullcontext(),
) -> EngineChoice:
    """Train every lane as ``train.fit.fit`` does, with joint forward and backward passes.

    Each lane has the results, the checkpoints and the calls of its observers of a run alone, up to
    rounding; on CUDA, random numbers within a step are others. ``seconds`` of a lane are those in
    which only this lane runs, and its share of the joint steps. What ends a lane early is stored in
    ``lane.error``, and the others continue; what a signal raises is raised.

    Lanes are divided by architecture, and each part is trained to its end by the fastest engine.

    engine: ``fastest``; or ``stacked``, ``products`` or ``in_turn`` for all lanes that allow it.
    context: what to enter around everything that is done for one lane alone, such as a redirection
        of its output.
    """
    together, alone = ([], {"": list(lanes)}) if engine == IN_TURN else families(lanes)
    parts = []
    for family in together:
        part = choose_engine(family, engine)
        parts.append(part)
        train_lanes(family, part.engine, context)
    for reason, some in alone.items():
        parts.append(EnginePart(IN_TURN, len(some), reason=reason))
        train_lanes(some, IN_TURN, context)
    return EngineChoice(tuple(parts))


def train_lanes(lanes: Sequence[Lane], engine: str, context: Context) -> None:
    """Train lanes to their ends by one engine; context: as in ``fit_together``."""
    if engine == IN_TURN:
        one_after_another(lanes, context)
    else:
        turns = [Turn(lane, context, draws_random_numbers(lane)) for lane in lanes]
        run_rounds(turns, ENGINES[engine](turns))


def choose_engine(family: Sequence[Lane], engine: str) -> EnginePart:
    """Return the engine of lanes with the same architecture."""
    steps = max(steps_left_of(lane) for lane in family)
    if engine != FASTEST:
        _, failed = time_engines(family, {engine: ENGINES[engine]})
        if failed:
            return EnginePart(IN_TURN, len(family), reason=failed[engine])
        return EnginePart(engine, len(family), reason=f"engine={engine}")
    if steps < MIN_STEPS:
        return EnginePart(usual(family), len(family), reason="too few steps for a trial")
    found, failed = time_engines(family, engines_for(family[0]), steps)
    best = max(found, key=lambda name: found[name], default=IN_TURN)
    if found.get(best, 0.0) <= MIN_GAIN:
        best = IN_TURN
    reason = "; ".join(failed.values())
    return EnginePart(best, len(family), found, reason)


def usual(family: Sequence[Lane]) -> str:
    """Return the engine of lanes that are too short for a trial."""
    model = family[0].state.model
    if family[0].fold.train.device.type == "cuda":
        return "branches"
    small = only_matrices(model) and number_of_parameters(model) <= FEW_PARAMETERS
    return "stacked" if small and len(family) >= FEW_LANES else IN_TURN


def engines_for(lane: Lane) -> dict[str, MakeEngine]:
    """Return the engines that are worth a trial for lanes like this one.

    On CUDA the branches were the fastest in each case that was measured (see ``branches``), and
    ``products`` was slower than ``stacked`` in each, on the CPU as well.
    """
    if lane.fold.train.device.type == "cuda":
        return {"branches": Branches}
    return {"stacked": Stacked}


def steps_left_of(lane: Lane) -> int:
    """Return the number of steps that a lane takes at most."""
    epochs = max(0.0, lane.recipe.max_epochs - len(lane.state.history))
    return round(epochs * lane.recipe.steps(len(lane.fold.train)))


def run_rounds(turns: Sequence[Turn], engine: Engine) -> None:
    """Run all lanes to their ends: at each round the next step of every lane.

    Lanes whose batches have the same size are one group; a lane without a group runs by itself.
    """
    with ThreadPoolExecutor(WRITERS) as writers:
        active = advance_all(turns, writers)
        while len(active) > 1:
            engine.keep(active)
            groups: dict[int, list[Turn]] = defaultdict(list)
            for turn in active:
                groups[turn.batch_size].append(turn)
            for group in groups.values():
                if len(group) > 1:
                    engine.step(group)
                else:
                    group[0].step()
            active = advance_all(active, writers)
    engine.keep([])
    for turn in active:
        finish(turn)
    raise_stopped(turns)


def raise_stopped(turns: Sequence[Turn]) -> None:
    """Raise what a signal has raised in lanes, after all of them have written a checkpoint."""
    for turn in turns:
        if turn.stopped is not None:
            raise turn.stopped


def advance_all(turns: Sequence[Turn], writers: ThreadPoolExecutor) -> list[Turn]:
    """Bring every lane to its next step; return the lanes that have one.

    The checkpoints of all lanes are written at the same time, and are on the disk at the end. With
    a failed step ahead, a lane is advanced once more, so that it ends.
    """
    active = [turn for turn in turns if turn.advance()]
    writing = [turn for turn in turns if turn.writings]
    if writing:
        list(writers.map(Turn.write, writing))
    return active


def one_after_another(lanes: Sequence[Lane], context: Context) -> None:
    """Train each lane to its end before the next."""
    for lane in lanes:
        turn = Turn(lane, context, draws=False)
        if advance_alone(turn):
            finish(turn)
        raise_stopped([turn])


def finish(turn: Turn) -> None:
    """Train one lane, which waits for a step, to its end by itself."""
    turn.step()
    while advance_alone(turn):
        turn.step()


def advance_alone(turn: Turn) -> bool:
    """Bring a lane to its next step and write its checkpoints; return whether it has a step."""
    found = turn.advance()
    turn.write()
    return found


def draws_random_numbers(lane: Lane) -> bool:
    """Return whether a training step draws random numbers, if the model's layers are usual ones."""
    layers = lane.state.model.modules()
    return bool(lane.recipe.augment) or any(type(layer) in DROPOUTS for layer in layers)
