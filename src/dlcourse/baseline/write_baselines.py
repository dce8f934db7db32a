"""The table of ``dlcourse baseline``, and its files: CSV, JSON and a plot."""

import csv
import io
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dlcourse import atomic_files
from dlcourse.baseline.arguments import BaselinePlan
from dlcourse.baseline.fit_baselines import Baseline, FoldTables
from dlcourse.runs.run_folder import claim
from dlcourse.schema.from_environment import storable
from dlcourse.schema.passwords import concealed_override
from dlcourse.terminal.command import own_name

BASELINE_FOLDER = Path("outputs/baseline")


def baseline_rows(baselines: Sequence[Baseline]) -> list[list[str]]:
    """Return the rows of the table, with a heading: method, options, metrics, seconds."""
    names = list(baselines[0].test)
    main, *others = names
    heading = ["method", "options", f"val/{main}", f"test/{main}"]
    rows = [[*heading, *(f"test/{name}" for name in others), "seconds"]]
    for one in baselines:
        val = "-" if one.val is None else digits_of(main, one.val[main])
        tested = [digits_of(name, one.test[name]) for name in names]
        rows.append([one.method, options_typed(one.options), val, *tested, f"{one.seconds:.2f}"])
    return rows


def digits_of(name: str, value: float) -> str:
    """Return a metric for the table: shares with four decimals, errors with four digits."""
    return f"{value:#.4g}" if name == "rmse" else f"{value:.4f}"


def options_typed(options: Mapping[str, Any]) -> str:
    """Return options as they are typed: ``c=1 gamma=scale``."""
    return " ".join(f"{key}={value}" for key, value in options.items())


def write_baselines(
    plan: BaselinePlan, folds: FoldTables, baselines: Sequence[Baseline], args: Iterable[str]
) -> Path:
    """Write results.csv, results.json and the plot into a new folder; return the folder."""
    from dlcourse.drawing.files import save_figure
    from dlcourse.drawing.methods import MethodRow, draw_methods

    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder = claim(BASELINE_FOLDER / f"{now}-{plan.data}"[:200])
    stored, typed = storable(plan.config), [concealed_override(arg) for arg in args]
    examples, metric = folds.examples, next(iter(baselines[0].test))
    content = {
        "command": " ".join([own_name("baseline"), *map(shlex.quote, typed)]),
        "data": plan.data,
        "examples": examples,
        "folds": len(folds.parts),
        "config": {key: stored[key] for key in ("data", "split", "seed", "random_streams")},
        "methods": [as_numbers(one) for one in baselines],
    }
    atomic_files.write_json(folder / "results.json", content, indent=1)
    atomic_files.write_text(folder / "results.csv", as_csv(baselines))
    rows = [
        MethodRow(
            one.method,
            None if one.val is None else one.val[metric],
            one.test[metric],
            one.seconds,
            [tried.val[metric] for tried in one.tried if tried.val is not None],
        )
        for one in baselines
    ]
    title = f"{plan.data}: {examples['train']:,} training examples, {examples['test']:,} test"
    save_figure(draw_methods(rows, metric, title, examples["test"]), folder / "methods")
    return folder


def as_numbers(one: Baseline) -> dict[str, Any]:
    """Return what a method reached as values that JSON can hold."""
    tried = [{"options": t.options, "val": t.val, "seconds": t.seconds} for t in one.tried]
    return {
        "method": one.method,
        "options": one.options,
        "val": one.val,
        "test": one.test,
        "seconds": one.seconds,
        "fit_seconds": one.fit_seconds,
        "predict_seconds": one.predict_seconds,
        "tried": tried,
    }


def as_csv(baselines: Sequence[Baseline]) -> str:
    """Return a row for each combination that was tried; only the chosen ones have test metrics."""
    names = list(baselines[0].test)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    heading = ["method", "options", "chosen", *(f"val/{name}" for name in names)]
    writer.writerow([*heading, *(f"test/{name}" for name in names), "seconds"])
    for one in baselines:
        for tried in one.tried:
            chosen = tried.options == one.options
            val = [tried.val[name] if tried.val else "" for name in names]
            test = [one.test[name] if chosen else "" for name in names]
            seconds = tried.seconds + (one.predict_seconds if chosen else 0)
            options = options_typed(tried.options)
            writer.writerow([one.method, options, int(chosen), *val, *test, seconds])
    return table.getvalue()
