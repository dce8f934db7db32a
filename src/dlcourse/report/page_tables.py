"""The tables of a report: the ranking, all metrics of the best run, its folds, its weights."""

from dataclasses import dataclass
from typing import Any

from dlcourse.report.confidence import estimate
from dlcourse.report.formatting import NOTHING, number_text
from dlcourse.report.points import Point, split_keys
from dlcourse.report.runs import StoredRun
from dlcourse.report.table_rows import (
    MAX_ROWS,
    OPTIONS_COLUMN,
    column_names,
    labels_in,
    ranking_rows,
    repeated,
)
from dlcourse.terminal.installed import short_path

MAX_WEIGHT_TABLES = 10


@dataclass(frozen=True)
class DataTable:
    """A table: the names of its columns, its rows, and how many columns on the left are text.

    last: the number of rows at the end that sum up the others.
    """

    title: str
    head: list[str]
    rows: list[list[str]]
    texts: int = 1
    last: int = 0
    note: str = ""


def by_value(point: Point) -> list[StoredRun]:
    """Return the finished runs of a point, the one with the best monitored metric first."""
    sign = -1 if point.mode == "max" else 1
    done = [run for run in point.runs if run.result]
    return sorted(done, key=lambda run: sign * (run.result or {})["best"])


def ranking_table(ranked: list[Point], keys: list[str]) -> DataTable:
    """Return the ranking, as ``dlcourse collect`` writes it."""
    own, shared = split_keys(ranked, keys)
    names = column_names(ranked, own, shared)
    texts = 1 + len(own) + (OPTIONS_COLUMN in names) + len(labels_in(ranked))
    note = "Ranked by the validation metric; the test metric has no say in it."
    if repeated(ranked):
        note += " sd: standard deviation."
    left = len(ranked) - MAX_ROWS
    more = f"{left} more: dlcourse collect writes all of them as CSV." if left > 0 else ""
    rows = ranking_rows(ranked, own, shared)
    return DataTable("Ranking", names, rows, texts, note=f"{note} {more}".strip())


def metric_tables(ranked: list[Point]) -> list[DataTable]:
    """Return the table of all metrics of the best run, and of its folds."""
    runs = by_value(ranked[0])
    result = runs[0].result if runs else None
    if result is None:
        return []
    which = "" if len(ranked) == 1 and len(runs) == 1 else f" of {short_path(runs[0].folder)}"
    if result.get("folds"):
        return [fold_table(result, which)]
    parts = {name: result.get(name) or {} for name in ("train", "val", "test")}
    heads = [name for name, part in parts.items() if part]
    names = list(dict.fromkeys(name for part in parts.values() for name in part))
    rows = [[n, *(metric_text(parts[head].get(n)) for head in heads)] for n in names]
    title = f"All metrics of epoch {result.get('best_epoch', '?')}{which}"
    metrics = [DataTable(title, ["metric", *heads], rows)] if rows else []
    return [*metrics, *weight_tables(result, which)]


def weight_tables(result: dict[str, Any], which: str) -> list[DataTable]:
    """Return the weights of a linear model by name, next to the true ones where they are known."""
    weights = result.get("weights")
    if not isinstance(weights, dict):
        return []
    true = weights.get("true")
    tables = []
    for number, output in enumerate(weights["outputs"]):
        names = [*weights["terms"], "bias"]
        learned = [*weights["w"][number], *some_bias(weights, number)]
        columns = [learned]
        if true:
            columns.append([*true["w"][number], *some_bias(true, number)])
        rows = [[name, *map(metric_text, row)] for name, *row in zip(names, *columns, strict=False)]
        title = f"Weights{f' of {output}' if len(weights['outputs']) > 1 else ''}{which}"
        tables.append(DataTable(title, ["term", "learned", *(["true"] if true else [])], rows))
    return tables[:MAX_WEIGHT_TABLES]


def some_bias(weights: dict[str, Any], output: int) -> list[float]:
    """Return the bias of an output in a list, which is empty for a model without one."""
    return [weights["b"][output]] if weights.get("b") else []


def fold_table(result: dict[str, Any], which: str) -> DataTable:
    """Return the metrics of every fold, with their mean and standard deviation."""
    folds = result["folds"]
    keys = [
        (part, name)
        for part in ("val", "test")
        for name in dict.fromkeys(name for fold in folds for name in fold.get(part) or {})
    ]
    columns = [[(fold.get(part) or {}).get(name) for fold in folds] for part, name in keys]
    epochs = [f"{fold.get('best_epoch', '?')} of {fold.get('epochs', '?')}" for fold in folds]
    rows = [
        [fold["name"], epoch, *(metric_text(column[number]) for column in columns)]
        for number, (fold, epoch) in enumerate(zip(folds, epochs, strict=True))
    ]
    spreads = [estimate([v for v in column if v is not None]) for column in columns]
    rows.append(["mean", "", *(number_text(one.mean) for one in spreads)])
    rows.append(["sd", "", *(number_text(one.std, one.mean) for one in spreads)])
    head = ["fold", "best epoch", *(f"{part}/{name}" for part, name in keys)]
    return DataTable(f"Folds{which}", head, rows, last=2)


def metric_text(value: float | None) -> str:
    """Return a metric for a table."""
    return NOTHING if value is None else number_text(value)
