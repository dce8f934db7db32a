"""HTML of runs and sweeps for a notebook."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from dlcourse.api.curves import Curve, plot, series
from dlcourse.terminal.installed import short_path

if TYPE_CHECKING:
    from dlcourse.api.run import Run

ROW = '<div style="display:flex;flex-wrap:wrap;gap:1.5em;align-items:flex-start">'
MARKS = ("model", "data", "optim")
"""The groups whose choices name a run."""


def headline(run: "Run") -> str:
    """Return a run's result in one line, ``lenet on digits, adam: val/accuracy 0.9895 ...``."""
    result, names = run.result, run.choices
    monitor = result["monitor"]
    metric = monitor.partition("/")[2]
    data = result.get("data", "data")
    name = f"{names.get('model', 'model')} on {data}, {names.get('optim', 'optimizer')}"
    if run.folds:
        tested = result.get("mean", {}).get(f"test/{metric}")
        where = f"mean of {len(run.folds)} folds"
    else:
        tested = result.get("test", {}).get(metric)
        where = f"epoch {result['best_epoch']} of {result['epochs']}"
    test = "" if tested is None else f", test {metric} {four_digits(tested)}"
    return f"{name}: {monitor} {four_digits(result['best'])} ({where}){test}"


def run_as_html(run: "Run") -> str:
    """Return the HTML of a run's result: a table next to its learning curves."""
    result = run.result
    facts = [
        f"{result['parameters']:,} parameters",
        f"{len(run.history):,} epochs in {result['seconds']:.1f} s on {result['device']}",
        f"seed {result['seed']}",
    ]
    return (
        f"<div><p><b>{escape(headline(run))}</b><br>{escape(', '.join(facts))}<br>"
        f"<code>{escape(short_path(run.folder))}</code></p>"
        f"{ROW}{metrics_table(run)}{''.join(plots_of(run))}</div></div>"
    )


def metrics_table(run: "Run") -> str:
    """Return an HTML table of the metrics on the validation and test parts."""
    result = run.result
    if run.folds:
        cells = {
            split: {
                key.partition("/")[2]: f"{four_digits(mean)} ± {four_digits(result['std'][key])}"
                for key, mean in result["mean"].items()
                if key.startswith(f"{split}/")
            }
            for split in ("val", "test")
        }
    else:
        cells = {
            split: {name: four_digits(value) for name, value in result[split].items()}
            for split in ("val", "test")
        }
    names = list(dict.fromkeys(name for part in cells.values() for name in part))
    heads = [split for split, part in cells.items() if part]
    rows = [[name, *(cells[split].get(name, "") for split in heads)] for name in names]
    return table(["", *heads], rows)


def plots_of(run: "Run") -> list[str]:
    """Return SVG plots of the loss and of the metric that decided the best epoch."""
    runs = run.folds or [run]
    monitored = run.result["monitor"].partition("/")[2]
    keys = runs[0].history[0].keys() if runs[0].history else ()
    others = [key.partition("/")[2] for key in keys if key.startswith("val/")]
    second = monitored if monitored != "loss" else next((o for o in others if o != "loss"), "loss")
    best = [one.result["best_epoch"] for one in runs] if len(runs) == 1 else []
    drawn = []
    for name in dict.fromkeys(("loss", second)):
        curves = [
            Curve(split, points)
            for split in ("train", "val")
            for one in runs
            if (points := series(one.history, f"{split}/{name}"))
        ]
        drawn.append(plot(name, curves, best))
    return drawn


def table(head: Sequence[str], rows: Sequence[Sequence[str]], bold: int | None = None) -> str:
    """Return an HTML table. bold: the index of a row to print in bold."""
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = []
    for number, row in enumerate(rows):
        style = ' style="font-weight:bold"' if number == bold else ""
        inner = "".join(f"<td>{escape(cell)}</td>" for cell in row)
        lines.append(f"<tr{style}>{inner}</tr>")
    body = "".join(lines)
    return (
        f'<table style="color:inherit"><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>'
    )


def four_digits(value: object) -> str:
    """Return a float with four decimals, a very large or small one with four digits; else text."""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 or value == 0 else f"{value:.4g}"


def rows_as_html(title: str, rows: Sequence[Mapping[str, object]], note: str) -> str:
    """Return an HTML table of the rows of a sweep, the first one in bold."""
    keys = list(dict.fromkeys(key for row in rows for key in row))
    cells = [[table_cell(key, row.get(key, "")) for key in keys] for row in rows]
    return (
        f"<div><p><b>{escape(title)}</b></p>{table(keys, cells, bold=0)}<p>{escape(note)}</p></div>"
    )


def table_cell(key: str, value: object) -> str:
    """Return the text of a cell of a sweep's table: metrics in four digits, options as typed."""
    is_metric = key == "std" or "/" in key
    return f"{value:.4g}" if isinstance(value, float) and not is_metric else four_digits(value)
