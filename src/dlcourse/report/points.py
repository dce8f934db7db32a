"""Points: configurations with their repeats, which differ only in seed or fold."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dlcourse.report.confidence import Estimate, estimate
from dlcourse.report.runs import RunStatus, StoredRun
from dlcourse.schema.facts import range_of


@dataclass(frozen=True)
class Repeat:
    """One model that was trained and tested: a run, or a fold of a cross-validation.

    outer: the outer fold of a nested cross-validation. val: the monitored metric.
    test: the same metric on the test part, if there is one.
    """

    seed: Any
    fold: str
    outer: int | None
    val: float
    test: float | None
    epochs: int
    train_size: int
    val_size: int

    @property
    def pair(self) -> tuple:
        """The key by which repeats of two points are paired."""
        return self.seed, self.outer, self.fold


@dataclass(frozen=True)
class Point:
    """Runs that differ only in seed or outer fold."""

    values: dict[str, Any]
    runs: tuple[StoredRun, ...]
    repeats: tuple[Repeat, ...]

    @property
    def monitor(self) -> str:
        """The monitored metric, ``val/accuracy``."""
        return str(self.values.get("monitor", ""))

    @property
    def mode(self) -> str:
        """Whether ``max`` or ``min`` is best."""
        return str(self.values.get("mode", "max"))

    @property
    def done(self) -> int:
        """The number of finished runs."""
        return sum(run.status == RunStatus.DONE for run in self.runs)

    @property
    def complete(self) -> bool:
        """Whether all of its runs are finished."""
        return self.done == len(self.runs)

    @cached_property
    def val(self) -> Estimate:
        """The monitored metric over the repeats."""
        values = [repeat.val for repeat in self.repeats]
        return estimate(values, overlap(self.repeats), range_of(self.monitor))

    @cached_property
    def test(self) -> Estimate | None:
        """The test metric over the repeats, or None if a repeat has none."""
        values = [repeat.test for repeat in self.repeats if repeat.test is not None]
        complete = values and len(values) == len(self.repeats)
        return estimate(values, limits=range_of(self.monitor)) if complete else None


def overlap(repeats: tuple[Repeat, ...] | list[Repeat]) -> float:
    """Return n_val / n_train of folds, whose training parts overlap; 0 for other repeats."""
    if all(repeat.fold == "." and repeat.outer is None for repeat in repeats):
        return 0.0
    train = sum(repeat.train_size for repeat in repeats)
    return sum(repeat.val_size for repeat in repeats) / train if train else 0.0


SETUP = ("monitor", "mode", "split._target_", "data._target_", "model._target_", "optim._target_")
"""Keys that separate points even if no command named them."""


def group_points(runs: list[StoredRun]) -> list[Point]:
    """Group runs that are repeats of each other, in the order of their appearance.

    The manifest of a sweep names the jobs of a point. Other runs are one point if they are equal in
    every key that any command named, except for seed and outer fold.
    """
    keys = [key for key in (*typed_keys(runs), *MAIN, *SETUP) if key not in REPEATED]
    groups: dict[tuple, dict[Path, StoredRun]] = {}
    for run in runs:
        stored = run.point if not set(REPEATED) & set(run.typed) else None
        own = stored or tuple(repr(run.values.get(key)) for key in keys)
        groups.setdefault(own, {})[run.folder] = run
    return [make_point(tuple(group.values())) for group in groups.values()]


def make_point(runs: tuple[StoredRun, ...]) -> Point:
    """Make a point of runs that are repeats of each other."""
    fullest = max(runs, key=lambda run: (run.status == RunStatus.DONE, len(run.values)))
    aim = {key: fullest.result[key] for key in ("monitor", "mode")} if fullest.result else {}
    if fullest.result:
        aim["plain_loss"] = bool(fullest.result.get("plain_loss"))
    repeats = tuple(repeat for run in runs for repeat in read_repeats(run))
    return Point(fullest.values | aim, runs, repeats)


def read_repeats(run: StoredRun) -> Iterator[Repeat]:
    """Yield the folds of a finished run, or the run itself where it has none."""
    if run.result is None:
        return
    metric = run.result["monitor"].partition("/")[2]
    seed = run.result.get("seed", run.values.get("seed"))
    outer = run.values.get("split.fold")
    parts: list[dict[str, Any]] = run.result.get("folds") or [run.result | {"name": "."}]
    for part in parts:
        sizes = part.get("examples") or {}
        yield Repeat(
            seed, part["name"], outer, part["best"], (part.get("test") or {}).get(metric),
            part["epochs"], sizes.get("train", 0), sizes.get("val", 0),
        )  # fmt: skip


REPEATED = ("seed", "split.fold")
"""Keys in which the repeats of a point differ."""

MAIN = ("data", "model", "optim", "optim.lr", "batch_size")
"""Keys that a table shows if points differ in them, typed or not."""


def typed_keys(runs: list[StoredRun]) -> list[str]:
    """Return the keys that any of the runs' commands named, in their order."""
    return list(dict.fromkeys(key for run in runs for key in run.typed))


def swept_keys(points: list[Point]) -> list[str]:
    """Return the typed keys in which points differ."""
    typed = typed_keys([run for point in points for run in point.runs])
    return [
        key
        for key in typed
        if key not in REPEATED and len({repr(point.values.get(key)) for point in points}) > 1
    ]


def column_keys(points: list[Point]) -> list[str]:
    """Return the keys that a table shows: those which points differ in, typed or main ones."""
    main = [
        key
        for key in MAIN
        if len({repr(point.values[key]) for point in points if key in point.values}) > 1
    ]
    swept = swept_keys(points)
    return [*(key for key in MAIN if key in {*main, *swept}), *(k for k in swept if k not in MAIN)]


def split_keys(points: list[Point], keys: list[str]) -> tuple[list[str], list[str]]:
    """Return the keys with a column each, and those that share one because some points lack them.

    A single such key has a column of its own.
    """
    lacking = [
        key for key in keys if key not in MAIN and any(key not in point.values for point in points)
    ]
    if len(lacking) < 2:
        return keys, []
    return [key for key in keys if key not in lacking], lacking
