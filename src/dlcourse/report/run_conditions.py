"""Select and sort the runs of a list: ``model=lenet``, ``test/accuracy>0.9``, ``since=7d``."""

import math
import operator
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from dlcourse.errors import UserError, nearest
from dlcourse.report.formatting import value_text
from dlcourse.report.run_list import ListedRun, RunState
from dlcourse.schema.duration import seconds

TYPED_CONDITION = re.compile(r"([\w./]+)(>=|<=|!=|=|>|<)(.*)", re.DOTALL)
COMPARISONS = {">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le}
KEYS_OF_EVERY_RUN = ("tag", "state", "note", "folder", "since", "until")


class Condition(NamedTuple):
    """A condition on a run: a key, how it is compared, and the value as it was typed."""

    key: str
    sign: str
    value: str

    def __str__(self) -> str:
        return "".join(self)


def read_condition(text: str) -> Condition:
    """Read ``test/accuracy>0.9``; raises UserError for anything else."""
    found = TYPED_CONDITION.fullmatch(text)
    if not found:
        raise UserError(
            f"{text} is neither a folder nor a condition.\n"
            "Type, for example, model=lenet, state=failed, tag=baseline or 'test/accuracy>0.9'"
        )
    one = Condition(found[1], found[2], found[3])
    if one.key == "state" and not any(fnmatchcase(state, one.value) for state in RunState):
        raise UserError(f"{text}: no run has this state; {nearest(one.value, RunState)}.")
    if one.key in ("since", "until"):
        read_time(one.value, text)
    elif one.sign in COMPARISONS and number_in(one.value) is None:
        raise UserError(f"{text} compares with a number.\nType, for example, {one.key}>0.9")
    return one


def read_time(value: str, typed: str) -> datetime:
    """Return the time of ``2026-11-01``, of ``2026-11-01T09:30`` or of ``7d`` ago."""
    ago = seconds(value) if re.fullmatch(r"[\d.]+[smhd]", value) else None
    if ago is not None:
        return datetime.now() - timedelta(seconds=ago)
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise UserError(
            f"{typed} names no time.\nType a day, since=2026-11-01, or a time ago, since=7d"
        ) from error


def number_in(text: str) -> float | None:
    """Return the number in a text; None if it is none."""
    try:
        return float(text)
    except ValueError:
        return None


def matches(run: ListedRun, one: Condition) -> bool:
    """Return whether a run fulfils a condition."""
    if one.key == "since":
        return run.when >= read_time(one.value, str(one))
    if one.key == "until":
        return run.when < read_time(one.value, str(one))
    if one.key == "tag":
        tags = map(str, run.options.get("tags") or [])
        return any(fnmatchcase(tag, one.value) for tag in tags) != (one.sign == "!=")
    value = value_in(run, one.key)
    if one.sign in COMPARISONS:
        known = isinstance(value, int | float) and not isinstance(value, bool)
        return known and COMPARISONS[one.sign](value, float(one.value))
    return is_equal(value, one) != (one.sign == "!=")


def is_equal(value: Any, one: Condition) -> bool:
    """Return whether a value is the typed one: equal as a number, or as a text with ``*``."""
    if one.key in ("note", "folder"):
        return one.value.lower() in str(value or "").lower()
    number = number_in(one.value)
    if number is not None and isinstance(value, int | float):
        return float(value) == number
    return value is not None and fnmatchcase(value_text(value), one.value)


def value_in(run: ListedRun, key: str) -> Any:
    """Return the value of a key in a run: a metric, a main option, or any stored option."""
    if key == "state":
        return run.state
    if key == "folder":
        return str(run.folder)
    for known in (run.metrics, run.options):
        if key in known:
            return known[key]
    return run.every_option.get(key) if "/" not in key else None


def selected(runs: Sequence[ListedRun], conditions: Sequence[Condition]) -> list[ListedRun]:
    """Return the runs that fulfil all conditions; raises UserError for a key that no run has."""
    for one in conditions:
        lacking = all(value_in(run, one.key) is None for run in runs)
        if one.key not in KEYS_OF_EVERY_RUN and runs and lacking:
            known = {key for run in runs for key in (*run.metrics, *run.every_option)}
            known = {key for key in known if "._" not in key and not key.startswith("hydra")}
            raise UserError(
                f"{one}: none of these runs has {one.key}; "
                f"{nearest(one.key, (*known, *KEYS_OF_EVERY_RUN))}."
            )
    return [run for run in runs if all(matches(run, one) for one in conditions)]


def sort_key(name: str, runs: Sequence[ListedRun]) -> Callable[[ListedRun], Any]:
    """Return the key by which runs are sorted: the best value, the newest run, ``a`` first.

    name: ``when``, ``best``, ``test``, ``state``, ``folder``, or a metric or an option; with ``-``
    in front it is reversed. Raises UserError for a name that no run has.
    """
    reverse, name = name.startswith("-"), name.removeprefix("-")
    special = {"when": lambda run: run.when.timestamp(), "test": lambda run: run.tested}
    get = special.get(name) or (lambda run: value_in(run, name))
    if runs and all(get(run) is None for run in runs):
        raise UserError(
            f"sort={name}: none of these runs has {name}.\n"
            "Type sort=when, best, test, state, folder, a metric (val/loss) or an option (optim.lr)"
        )
    large_first = name == "when" or (name in ("best", "test") and not all(map(is_min, runs)))
    large_first = large_first or name.rpartition("/")[2] in ("accuracy", "f1", "r2")

    def key(run: ListedRun) -> tuple:
        value = get(run)
        if isinstance(value, int | float) and math.isfinite(value):
            return 0, -value if large_first != reverse else value, ""
        return (2 if value is None else 1), 0, str(value)

    return key


def is_min(run: ListedRun) -> bool:
    """Return whether a small value of the run's monitored metric is good."""
    return run.result.get("mode") == "min"
