"""Train the folds of one run, or of several runs, together."""

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dlcourse import atomic_files
from dlcourse.core import Dataset, Fold, Observer
from dlcourse.distributed.ranks import this_rank
from dlcourse.engine.autotune import picks_without_trial
from dlcourse.engine.datasets import load_data, make_fold
from dlcourse.engine.fold import (
    PreparedFold,
    evaluate_test_part,
    finish_fold,
    record_divergence,
    with_observers,
)
from dlcourse.engine.folds import OpenRun, folds_in_turn, prepare
from dlcourse.engine.instantiate import build
from dlcourse.engine.same_epoch import to_same_epoch
from dlcourse.errors import DivergedError
from dlcourse.observe.console import Console
from dlcourse.observe.folds_console import FoldConsole, FoldsScreen
from dlcourse.runs import run_folder
from dlcourse.split.part import Part
from dlcourse.terminal.live_line import working
from dlcourse.together.choice import IN_TURN, EnginePart
from dlcourse.together.families import families
from dlcourse.together.fit import (
    ENGINES,
    FASTEST,
    Context,
    choose_engine,
    train_lanes,
)
from dlcourse.together.lane import Lane

NOTHING_TO_COMBINE = (
    "engine=together has nothing to combine here: this run trains one model. It is trained alone"
)

log = logging.getLogger(__name__)


class SharedData:
    """Reads data and divides them for several runs; what they have in common is made once."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}

    def load(self, config: dict) -> Dataset:
        """Return the data set of a config, as ``load_data``."""
        return self.once(partial(load_data, config), config, "data", "random_streams")

    def fold(self, run: OpenRun, part: Part) -> Fold:
        """Return a fold of a run, as ``make_fold``."""
        make = partial(make_fold, run.config, run.dataset, part, run.runtime)
        groups = ("data", "random_streams", "split", "runtime")
        return self.once(make, run.config, *groups, name=part.name)

    def once(self, make: Callable[[], Any], config: dict, *groups: str, name: str = "") -> Any:
        """Return what ``make`` returns; for the same groups of a config it is called once."""
        key = atomic_files.to_json([name, *(config[group] for group in groups)])
        if key not in self.made:
            self.made[key] = make()
        return self.made[key]


@dataclass
class OpenLanes:
    """The unfinished folds of a run, prepared, each with its lane, by their names.

    run: its open options of ``runtime`` are chosen. picks: their values, for the run's folder.
    introduced: whether an observer has been given the run's facts.
    """

    run: OpenRun
    picks: dict[str, dict]
    prepared: dict[str, PreparedFold]
    lanes: dict[str, Lane]
    introduced: bool = False


class Joint(NamedTuple):
    """Lanes that one engine trains, and why."""

    part: EnginePart
    lanes: Sequence[Lane]

    @property
    def in_turn(self) -> bool:
        """Whether the lanes are trained one after another."""
        return self.part.engine == IN_TURN

    @property
    def why(self) -> str:
        """A line for people."""
        return f"together: {self.part}"


def train_folds(run: OpenRun) -> list[dict]:
    """Train and test every fold that is not done yet; return the results of all folds, in order."""
    if run.config["engine"] == "together" and not this_rank().joined:
        if sum(run.result_of(part) is None for part in run.parts) > 1:
            results = folds_together(run)
            return folds_in_turn(run) if results is None else results
        if len(run.parts) == 1:
            say(NOTHING_TO_COMBINE)
    return folds_in_turn(run)


def folds_together(run: OpenRun) -> list[dict] | None:
    """Train the unfinished folds of a run together, then test them; return the results of all.

    Returns None if they are faster, or only possible, one after another: nothing is trained then.
    """
    to_same_epoch([run.folder / part.name for part in run.parts if run.result_of(part) is None])
    opened = open_lanes(run, SharedData())
    joints = divide({run.folder: list(opened.lanes.values())})
    if all(joint.in_turn for joint in joints):
        for joint in joints:
            say(joint.why)
        return None
    with ExitStack() as stack:
        for joint in joints:
            observe_lanes(opened, joint.lanes, stack)
            say(joint.why)
            train_joint(joint)
        return finish_lanes(opened)


def open_lanes(run: OpenRun, shared: SharedData) -> OpenLanes:
    """Prepare every unfinished fold of a run as a lane without observers."""
    picks = picks_without_trial(run.runtime, run.folder)
    run = replace(run, runtime=run.runtime.with_picks(picks["picked"]))
    prepared = {
        part.name: prepare(run, part, shared.fold(run, part))
        for part in run.parts
        if run.result_of(part) is None
    }
    lanes = {
        name: Lane(one.state, one.fold, one.recipe, [], str(one.folder))
        for name, one in prepared.items()
    }
    return OpenLanes(run, picks, prepared, lanes)


def divide(lanes: Mapping[Path, Sequence[Lane]]) -> list[Joint]:
    """Divide the lanes of some runs by their architecture, and choose an engine for each part.

    The engine is stored in the runs' folders: a run that is resumed uses it again, so that it ends
    as if it had not been stopped.

    lanes: those of each run, by its folder.
    """
    owners = {id(lane): folder for folder, some in lanes.items() for lane in some}
    together, alone = families([lane for some in lanes.values() for lane in some])
    joints = []
    for family in together:
        folders = list(dict.fromkeys(owners[id(lane)] for lane in family))
        stored = map(run_folder.read_engine, folders)
        engine = next((one for one in stored if one in (*ENGINES, IN_TURN)), FASTEST)
        part = EnginePart(IN_TURN, len(family), reason="as before")
        if engine != IN_TURN:
            with working("engine=together measures what is faster"):
                part = choose_engine(family, engine)
        for folder in folders:
            run_folder.write_engine(folder, part.engine)
        joints.append(Joint(part, family))
    for reason, some in alone.items():
        joints.append(Joint(EnginePart(IN_TURN, len(some), reason=reason), some))
    return joints


def train_joint(joint: Joint, context: Context = lambda lane: nullcontext()) -> None:
    """Train lanes with the engine that was chosen for them; context: as in ``fit_together``."""
    train_lanes(joint.lanes, joint.part.engine, context)


def observe_lanes(opened: OpenLanes, lanes: Sequence[Lane], stack: ExitStack) -> None:
    """Give lanes the observers of their folds; epochs of several folds are shown together.

    lanes: those of them that belong to other runs are left out.
    """
    run, screen = opened.run, FoldsScreen()
    if opened.picks["picked"]:
        run_folder.write_picks(run.folder, opened.picks)
    make = partial(on_screen, screen) if len(run.parts) > 1 else build
    shown = []
    for number, part in enumerate(run.parts, 1):
        lane = opened.lanes.get(part.name)
        if lane is None or lane not in lanes:
            continue
        more = [copy.copy(observer) for observer in run.observers]
        turn = (number, len(run.parts), opened.introduced)
        opened.introduced = True
        prepared = with_observers(opened.prepared[part.name], run.folder, more, turn, stack, make)
        opened.prepared[part.name], lane.observers = prepared, prepared.observers
        shown.append(lane)
    screen.open([lane.fold for lane in shown], [len(lane.state.history) for lane in shown])


def on_screen(screen: FoldsScreen, node: dict) -> Callable[[Path], Observer]:
    """Return what makes an observer of the config; a console shows its epochs on the screen."""
    made = build(node)
    return partial(FoldConsole, screen=screen) if made.func is Console else made


def finish_lanes(opened: OpenLanes) -> list[dict]:
    """Test the folds that were trained together, in order; return the results of all folds.

    Raises the error of the first lane that has one.
    """
    results = []
    for part in opened.run.parts:
        result = opened.run.result_of(part)
        if result is None:
            result = finish_lane(opened.prepared[part.name], opened.lanes[part.name])
        results.append(result)
    opened.run.runtime.release_memory()
    return results


def finish_lane(prepared: PreparedFold, lane: Lane) -> dict:
    """Test a fold that was trained together with others and write its result; return it."""
    try:
        if lane.error is not None:
            raise lane.error
        meter = evaluate_test_part(prepared)
    except DivergedError as error:
        record_divergence(prepared, error)
        raise
    return finish_fold(prepared, meter)


def say(line: str) -> None:
    """Print a line and write it to train.log."""
    log.info(line)
    print(line, flush=True)
