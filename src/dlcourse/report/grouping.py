"""Puts runs that are repeats of each other together as points."""

from collections.abc import Iterator
from pathlib import Path

from dlcourse.report.keys import MAIN, REPEATED, typed_keys
from dlcourse.report.points import Point, Repeat
from dlcourse.report.run import DONE, Run

SETUP = ("monitor", "mode", "split._target_", "data._target_", "model._target_", "optim._target_")
"""What makes runs different points even where nobody typed it."""


def group_points(runs: list[Run]) -> list[Point]:
    """Put runs that are repeats of each other together, in the order of their appearance.

    A sweep has said which of its jobs belong together; other runs do when they are equal in
    everything that any of them typed, except for seed and outer fold.
    """
    keys = [key for key in (*typed_keys(runs), *MAIN, *SETUP) if key not in REPEATED]
    groups: dict[tuple, dict[Path, Run]] = {}
    for run in runs:
        told = run.point if not set(REPEATED) & set(run.typed) else None
        own = told or tuple(repr(run.values.get(key)) for key in keys)
        groups.setdefault(own, {})[run.folder] = run
    return [make_point(tuple(group.values())) for group in groups.values()]


def make_point(runs: tuple[Run, ...]) -> Point:
    """Put the repeats of a point together."""
    fullest = max(runs, key=lambda run: (run.status == DONE, len(run.values)))
    aim = {key: fullest.result[key] for key in ("monitor", "mode")} if fullest.result else {}
    if fullest.result:
        aim["plain_loss"] = bool(fullest.result.get("plain_loss"))
    repeats = tuple(repeat for run in runs for repeat in repeats_of(run))
    return Point(fullest.values | aim, runs, repeats)


def repeats_of(run: Run) -> Iterator[Repeat]:
    """Yield the folds of a finished run, or the run itself where it has none."""
    if run.result is None:
        return
    figure = run.result["monitor"].partition("/")[2]
    seed = run.result.get("seed", run.values.get("seed"))
    outer = run.values.get("split.fold")
    for part in run.result.get("folds") or [run.result | {"name": "."}]:
        sizes = part.get("examples") or {}
        yield Repeat(
            seed, part["name"], outer, part["best"], (part.get("test") or {}).get(figure),
            part["epochs"], sizes.get("train", 0), sizes.get("val", 0),
        )  # fmt: skip
