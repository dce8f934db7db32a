"""Run several jobs whose models are trained together, each in its own folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dlcourse.core import Observer
from dlcourse.engine.job import explaining, report
from dlcourse.engine.lanes import (
    Joint,
    OpenLanes,
    SharedData,
    divide,
    finish_lanes,
    observe_lanes,
    open_lanes,
    say,
    train_joint,
)
from dlcourse.engine.run import close_run, open_run, recording_divergence, run
from dlcourse.terminal.installed import short_path


@dataclass(eq=False)
class Member:
    """A job among several that are trained together; its arguments are those of ``run_job``.

    output: is entered around everything that is done for this job alone.
    ended: is called once, when the job has ended, with its error or None.
    has_ended: whether it was.
    """

    config: dict
    folder: Path
    overrides: Sequence[str]
    hydra: str
    observers: Sequence[Observer]
    hparam_keys: Sequence[str] | None
    output: Callable[[], AbstractContextManager]
    ended: Callable[[Exception | None], None]
    has_ended: bool = False
    stack: ExitStack = field(default_factory=ExitStack)

    @property
    def arguments(self) -> tuple:
        """The arguments of ``engine.run.run``."""
        return (
            self.config, self.folder, self.overrides, self.hydra, self.observers, self.hparam_keys,
        )  # fmt: skip

    @contextmanager
    def own(self) -> Iterator[None]:
        """Enter what is done for this job alone; an error of the block ends this job alone."""
        with self.output():
            try:
                with explaining(self.config, self.folder), recording_divergence(self.folder):
                    yield
            except Exception as error:
                self.end(error)

    def end(self, error: Exception | None = None) -> None:
        """Close the job's observers, unlock its folder and report how it has ended."""
        self.has_ended = True
        self.stack.close()
        self.ended(error)


def run_group(members: Sequence[Member]) -> None:
    """Run every job as ``run_job`` would; forward and backward passes are computed together.

    The jobs need the same architecture and batch size. Where they are faster, or only possible, one
    after another, they run so. An error of one job ends only this one. An error that belongs to no
    job is raised, and so are KeyboardInterrupt and SystemExit.
    """
    with ExitStack() as stack:
        for member in members:
            stack.callback(member.stack.close)
        opened = open_members(members, SharedData())
        joints = divide({m.folder: list(own.lanes.values()) for m, own in opened.items()})
        owners = {id(lane): m for m, own in opened.items() for lane in own.lanes.values()}
        alone = {
            owners[id(lane)]: joint.why
            for joint in joints if joint.in_turn for lane in joint.lanes
        }  # fmt: skip
        for joint in joints:
            lanes = [lane for lane in joint.lanes if owners[id(lane)] not in alone]
            train_members(opened, owners, joint._replace(lanes=lanes))
        for member, own in opened.items():
            if member not in alone:
                finish_member(member, own)
    for member, why in alone.items():
        run_alone(member, why)


def train_members(
    opened: Mapping[Member, OpenLanes], owners: Mapping[int, Member], joint: Joint
) -> None:
    """Train the lanes of several jobs; owners: the job of each lane, by the lane's ``id``."""
    for member in dict.fromkeys(owners[id(lane)] for lane in joint.lanes):
        with member.own():
            observe_lanes(opened[member], joint.lanes, member.stack)
            say(joint.why)
    lanes = [lane for lane in joint.lanes if not owners[id(lane)].has_ended]
    if lanes:
        train_joint(joint._replace(lanes=lanes), lambda lane: owners[id(lane)].output())


def open_members(members: Sequence[Member], shared: SharedData) -> dict[Member, OpenLanes]:
    """Prepare the jobs that are not finished."""
    opened: dict[Member, OpenLanes] = {}
    for member in members:
        with member.own():
            found = open_run(*member.arguments, stack=member.stack, load=shared.load)
            if found is None:
                member.end()
            else:
                opened[member] = open_lanes(found, shared)
    return opened


def finish_member(member: Member, lanes: OpenLanes) -> None:
    """Test a job's best weights, write its result and report it, if it has not ended."""
    if member.has_ended:
        return
    with member.own():
        close_run(lanes.run, finish_lanes(lanes))
        report(member.folder, short_path(member.folder))
        member.end()


def run_alone(member: Member, why: str) -> None:
    """Run a job by itself. why: the line why it is not trained together with others."""
    with member.own():
        say(why)
        run(*member.arguments)
        report(member.folder, short_path(member.folder))
        member.end()
