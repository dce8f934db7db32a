"""The options and results in which two runs differ."""

import math
from typing import Any, NamedTuple

from dlcourse.report.comparison.sides import Side
from dlcourse.report.formatting import NOTHING, number_text, value_text
from dlcourse.schema.facts import name_of
from dlcourse.schema.overrides import is_free, is_private, leaves


class Row(NamedTuple):
    """One line of a table of two runs: a name, the value of A, that of B, and B - A or empty."""

    name: str
    a: str
    b: str
    difference: str = ""


class Options(NamedTuple):
    """The options that differ. rows: choices of groups first, then options that both runs have.

    only_a, only_b: options that only one run has, as overrides; they belong to different choices.
    """

    rows: list[Row]
    only_a: list[str]
    only_b: list[str]


def option_differences(first: Side, second: Side) -> Options:
    """Return the options of two configs that differ and can change a result."""
    a, b = chosen(first), chosen(second)
    rows = [
        Row(group, a.get(group, NOTHING), b.get(group, NOTHING))
        for group in dict.fromkeys([*a, *b])
        if a.get(group) != b.get(group)
    ]
    one, other = (typed_options(side.config) for side in (first, second))
    rows += [
        Row(key, value_text(one[key]), value_text(other[key]))
        for key in one
        if key in other and one[key] != other[key]
    ]
    return Options(rows, only_in(one, other), only_in(other, one))


def chosen(side: Side) -> dict[str, str]:
    """Return the choice of each group by name: ``{"model": "lenet", "augment": "crop,flip"}``."""
    single = {
        group: str(side.choices.get(group) or name_of(node["_target_"]))
        for group, node in side.config.items()
        if isinstance(node, dict) and "_target_" in node
    }
    several = {
        group: ",".join(node) or "none"
        for group, node in side.config.items()
        if isinstance(node, dict) and "_target_" not in node and not is_free(group)
        if all(isinstance(choice, dict) and "_target_" in choice for choice in node.values())
    }
    return single | several


def typed_options(config: dict[str, Any]) -> dict[str, Any]:
    """Return the options that a user can type by their dotted key; free ones are left out."""
    return {
        key: value
        for key, value in leaves(config)
        if not is_free(key) and not is_private(key) and value != {}
    }


def only_in(some: dict[str, Any], others: dict[str, Any]) -> list[str]:
    """Return the options of one config that the other one does not have, as overrides."""
    return [f"{key}={value_text(value)}" for key, value in some.items() if key not in others]


def result_rows(first: Side, second: Side) -> list[Row]:
    """Return the results of two runs: the metrics that both have, then size, epochs and time."""
    a, b = metrics_of(first), metrics_of(second)
    monitor = first.result["monitor"]
    names = sorted((name for name in a if name in b), key=lambda name: order_of(name, monitor))
    rows = []
    for name in names:
        (mean_a, std_a), (mean_b, std_b) = a[name], b[name]
        difference = signed_text(mean_b - mean_a, mean_a)
        rows.append(
            Row(name, with_deviation(mean_a, std_a), with_deviation(mean_b, std_b), difference)
        )
    one, other = first.result, second.result
    rows.append(number_row("parameters", one["parameters"], other["parameters"], ","))
    rows.append(number_row("epochs", epochs_of_side(first), epochs_of_side(second), ".4g"))
    if not (first.folds or second.folds):
        rows.append(number_row("best epoch", one["best_epoch"], other["best_epoch"], ""))
    seconds_a, seconds_b = (float(result.get("seconds") or math.nan) for result in (one, other))
    rows.append(number_row("seconds", seconds_a, seconds_b, ".1f"))
    devices = str(one.get("device", NOTHING)), str(other.get("device", NOTHING))
    versions = versions_text(one.get("versions") or {}), versions_text(other.get("versions") or {})
    for name, (text_a, text_b) in (("device", devices), ("versions", versions)):
        rows += [Row(name, text_a, text_b)] if text_a != text_b else []
    return rows


def number_row(name: str, a: float, b: float, form: str) -> Row:
    """Return the row of two numbers, written in a format such as ``.1f``."""
    return Row(name, format(a, form), format(b, form), format(b - a, f"+{form}"))


def metrics_of(side: Side) -> dict[str, tuple[float, float | None]]:
    """Return the mean and standard deviation of each metric, ``{"val/accuracy": (0.9, None)}``.

    A single run has no standard deviation. In a cross-validation they are over the folds, and
    ``ensemble/accuracy`` is the test metric of the folds' averaged predictions.
    """
    result = side.result
    if side.folds:
        found: dict[str, tuple[float, float | None]] = {
            name: (mean, result["std"].get(name)) for name, mean in result["mean"].items()
        }
        for name, value in (result.get("ensemble") or {}).items():
            found[f"ensemble/{name}"] = value, None
        return found
    return {
        f"{split}/{name}": (value, None)
        for split in ("train", "val", "test")
        for name, value in (result.get(split) or {}).items()
    }


def order_of(name: str, monitor: str) -> tuple[bool, int]:
    """Return the key that puts the monitored metric first, then validation, test, training."""
    splits = ("val", "test", "ensemble", "train")
    split = name.partition("/")[0]
    return name != monitor, splits.index(split) if split in splits else len(splits)


def epochs_of_side(side: Side) -> float:
    """Return the number of epochs, in a cross-validation the mean over its folds."""
    found = [one["epochs"] for one in side.folds or [side.result]]
    return sum(found) / len(found)


def with_deviation(mean: float, std: float | None) -> str:
    """Format a metric, ``0.9755`` or ``0.9755 ± 0.0041``."""
    return number_text(mean) + ("" if std is None else f" ± {number_text(std, mean)}")


def signed_text(difference: float, like: float) -> str:
    """Format a difference with its sign and the digits of another value, ``-0.0104``."""
    text = number_text(difference, like)
    return f"+{text}" if difference > 0 else text


def versions_text(versions: dict[str, str]) -> str:
    """Format the versions of a run, ``torch 2.14.1, python 3.11.7``."""
    return ", ".join(f"{name} {version}" for name, version in versions.items())
