"""Rank the runs below a folder by their validation figure.

    python scripts/collect.py <folder of runs> [csv=<file>]

Prints a table and writes it as CSV, by default to <folder>/results.csv. Columns are the options in
which the runs differ. The test figure is shown and never used for ranking. Runs that have not
finished are counted.
"""

import csv
import os
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dlcourse import run_folder
from dlcourse.command import arguments, one_message
from dlcourse.error import UserError


def main() -> None:
    """Read the words, find the runs, rank them."""
    words = sys.argv[1:]
    named = [word for word in words if "=" not in word and not word.startswith("-")]
    options = arguments([word for word in words if word not in named], {"csv": ""}, __doc__)
    if len(named) != 1 or not Path(named[0]).is_dir():
        raise UserError(f"{' '.join(named) or 'Nothing'} is not a folder of runs.{__doc__}")
    folder = Path(named[0])
    runs, unfinished = find_runs(folder)
    if not runs:
        raise UserError(f"{folder} holds no finished run ({len(unfinished)} unfinished).")
    rows = rank(runs, folder)
    show(rows)
    for path in unfinished:
        print(f"not finished: {path}")
    output = Path(options["csv"]) if options["csv"] else folder / "results.csv"
    with open(output, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    print(f"The table is in {output}")


def find_runs(folder: Path) -> tuple[dict[Path, dict], list[Path]]:
    """Return the results of the finished runs at or below a folder, and the unfinished runs."""
    finished, unfinished = {}, []
    for config in sorted(folder.rglob(run_folder.CONFIG)):
        run = config.parent.parent
        result = run_folder.read_result(run)
        if result is None:
            unfinished.append(run)
        else:
            finished[run] = result
    return finished, unfinished


def rank(runs: dict[Path, dict], folder: Path) -> list[dict]:
    """Return a row for each run, the best first; runs with another monitor stand apart."""
    options = {run: result["options"] for run, result in runs.items()}
    keys = list(dict.fromkeys(key for chosen in options.values() for key in chosen))
    varying = [
        key for key in keys if len({str(chosen.get(key)) for chosen in options.values()}) > 1
    ]

    def place(run: Path) -> tuple[str, float]:
        result = runs[run]
        return result["monitor"], -result["best"] if result["mode"] == "max" else result["best"]

    rows = []
    for number, run in enumerate(sorted(runs, key=place), start=1):
        result = runs[run]
        split, figure = result["monitor"].split("/", 1)
        row = {"rank": number}
        row |= {key: options[run].get(key, "") for key in varying}
        row["monitor"] = result["monitor"]
        row["val"] = spread(result, "best", f"{split}/{figure}")
        row["test"] = spread(result, None, f"test/{figure}")
        row["best_epoch"] = result.get("best_epoch", "")
        row["epochs"] = result.get("epochs", sum(f["epochs"] for f in result.get("folds", [])))
        row["seconds"] = f"{result['seconds']:.1f}"
        row["folder"] = os.path.relpath(run, folder)
        rows.append(row)
    return rows


def spread(result: dict, key: str | None, name: str) -> str:
    """Return a figure, in cross-validation with its standard deviation over the folds."""
    if "mean" in result:
        mean = result["mean"].get(name, result["best"])
        return f"{mean:.4f} ± {result['std'].get(name, 0):.4f}"
    value = result[key] if key else result["test"][name.split("/", 1)[1]]
    return f"{value:.4f}"


def show(rows: list[dict]) -> None:
    """Print the rows as a table."""
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*map(str, row.values()))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    with one_message():
        main()
