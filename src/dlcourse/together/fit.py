"""Train several lanes together, with the results of training each alone."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from dlcourse.together.lane import Lane
from dlcourse.together.masks import active_dropouts
from dlcourse.together.stacked import Stacked
from dlcourse.together.turn import Turn

Context = Callable[[Lane], AbstractContextManager]


@dataclass(frozen=True)
class EngineChoice:
    """Which engine trains lanes, and why.

    measured: the speedup of each engine over one after another, by name; empty without a trial.
    """

    engine: str
    lanes: int
    measured: dict[str, float] = field(default_factory=dict)
    reason: str = ""

    def __str__(self) -> str:
        return f"together: {self.lanes} runs as {self.engine}"


def fit_together(
    lanes: Sequence[Lane],
    *,
    engine: str = "fastest",
    context: Context = lambda lane: nullcontext(),
) -> EngineChoice:
    """Train every lane as ``train.fit.fit`` trains it, with joint forward and backward passes."""
    if engine == "in_turn":
        for lane in lanes:
            finish(Turn(lane, context, draws=False))
        return EngineChoice("in_turn", len(lanes))
    turns = [Turn(lane, context, draws_random_numbers(lane)) for lane in lanes]
    run_rounds(turns, Stacked(turns))
    return EngineChoice("stacked", len(lanes))


def run_rounds(turns: Sequence[Turn], engine: Stacked) -> None:
    """Run all lanes to their ends: at each round the next step of every lane.

    Lanes whose batches have the same size are one group; a lane without a group runs by itself.
    """
    active = [turn for turn in turns if turn.advance()]
    while active:
        engine.keep(active)
        if len(active) == 1:
            finish(active.pop())
            break
        groups: dict[int, list[Turn]] = defaultdict(list)
        for turn in active:
            groups[turn.batch_size].append(turn)
        for group in groups.values():
            engine.step(group) if len(group) > 1 else group[0].step()
        active = [turn for turn in active if turn.advance()]
    engine.keep([])


def finish(turn: Turn) -> None:
    """Train one lane to its end by itself."""
    while turn.next is not None or turn.advance():
        turn.step()
        if not turn.advance():
            break


def draws_random_numbers(lane: Lane) -> bool:
    """Return whether a training step draws random numbers."""
    model = lane.state.model
    training = model.training
    model.train()
    found = bool(lane.recipe.augment or active_dropouts(model))
    model.train(training)
    return found
