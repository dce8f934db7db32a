"""What a race shows in numbers: who arrived when, and how far from the minimum each one ended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcourse.race.surfaces import Surface

if TYPE_CHECKING:
    from dlcourse.race.racers import Racer
    from dlcourse.race.trajectory import Trajectory


@dataclass(frozen=True)
class PathOutcome:
    """The path of a racer with its numbers.

    excess: the value above the lowest one, from the start on.
    arrived: the first step after which it is below the threshold; None if never, or if no minimum
        is known.
    gradients: computed until then, or in all steps.
    distance: of the last position from the nearest minimum; None if no minimum is known.
    left: the first step after which the position was outside the window; None if never.
    """

    racer: "Racer"
    trajectory: "Trajectory"
    excess: list[float]
    arrived: int | None
    gradients: int
    distance: float | None
    left: int | None

    @property
    def state(self) -> str:
        """How it ended: ``arrived``, ``not yet``, ``diverged``, or ``no minimum`` is known."""
        if self.trajectory.diverged:
            return "diverged"
        if self.distance is None:
            return "no minimum"
        return "not yet" if self.arrived is None else "arrived"


def outcome(
    racer: "Racer", trajectory: "Trajectory", surface: Surface, lowest: float, reach: float
) -> PathOutcome:
    """Return the numbers of a racer's path. lowest: the value that counts as the minimum's."""
    excess = [value - lowest for value in trajectory.values]
    arrived = next((step for step, value in enumerate(excess) if value < reach), None)
    end = trajectory.positions[-1]
    if not surface.minima:
        arrived = None
    known = [math.dist(end, minimum) for minimum in surface.minima]
    left, right, bottom, top = surface.window
    outside = (
        step
        for step, (x, y) in enumerate(trajectory.positions)
        if not (left <= x <= right and bottom <= y <= top)
    )
    return PathOutcome(
        racer,
        trajectory,
        excess,
        arrived,
        trajectory.gradients[-1 if arrived is None else arrived],
        min(known) if known else None,
        next(outside, None),
    )


def ranked(outcomes: Sequence[PathOutcome]) -> list[PathOutcome]:
    """Return the outcomes by steps until the arrival; then by final value; diverged ones last."""

    def order(one: PathOutcome) -> tuple[bool, float, float]:
        arrived = math.inf if one.arrived is None else one.arrived
        return one.trajectory.diverged, arrived, one.excess[-1]

    return sorted(outcomes, key=order)


def same_paths(outcomes: Sequence[PathOutcome]) -> list[tuple[str, str]]:
    """Return pairs of labels whose paths are the same; each later one with the first."""
    found = []
    for number, one in enumerate(outcomes):
        for other in outcomes[:number]:
            if one.trajectory.positions == other.trajectory.positions:
                found.append((one.racer.label, other.racer.label))
                break
    return found
