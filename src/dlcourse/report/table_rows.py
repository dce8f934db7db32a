"""The rows of a ranking as text: the same in the table on the screen, in Markdown and in LaTeX."""

from dlcourse.report.confidence import estimate
from dlcourse.report.formatting import NOTHING, interval, mean_and_deviation, option_text
from dlcourse.report.points import Point
from dlcourse.report.ranking import ranks_of
from dlcourse.runs.labels import shown_labels

MAX_ROWS = 40
"""The number of rows in a text table; the CSV has all."""


OPTIONS_COLUMN = "options"
"""The name of the column for the keys that not every point has."""


def column_names(points: list[Point], keys: list[str], shared: list[str]) -> list[str]:
    """Return the names of the columns. shared: keys that share one column."""
    monitor = points[0].monitor
    deviation = " ± sd" if repeated(points) else ""
    names = ["rank", *keys, *([OPTIONS_COLUMN] if shared else []), *labels_in(points)]
    names += [f"{monitor}{deviation}"]
    names += [interval_name(points), "n"] if repeated(points) else []
    names += [f"{test_name(monitor)}{deviation}"] if tested(points) else []
    return [*names, "epochs", "seconds"]


LABEL_COLUMNS = ("tags", "note")
"""The columns of the labels, which a table has if points differ in them."""


def labels_in(points: list[Point]) -> list[str]:
    """Return the columns of the labels in which points differ."""
    return [key for key in LABEL_COLUMNS if len({label_text(p, key) for p in points}) > 1]


def shared_labels(points: list[Point]) -> str:
    """Return the labels that all points share in one line; empty without any."""
    shared = {key: label_text(points[0], key) for key in LABEL_COLUMNS}
    return "; ".join(
        f"{key}: {text}" for key, text in shared.items() if text and key not in labels_in(points)
    )


def label_text(point: Point, key: str) -> str:
    """Return the tags or the notes of a point's runs, each once."""
    texts = [shown_labels(run.values).get(key, "") for run in point.runs]
    return "; ".join(filter(None, dict.fromkeys(texts)))


def interval_name(points: list[Point]) -> str:
    """Return the name of the column of intervals; few repeats show their values instead."""
    known = [point.val.low is not None for point in points if point.val.std is not None]
    if all(known):
        return "95 % interval"
    return "interval or values" if any(known) else "values"


def ranking_rows(points: list[Point], keys: list[str], shared: list[str]) -> list[list[str]]:
    """Return a row for each of the first points, in their order."""
    ranks = ranks_of(points)
    numbers = range(min(len(points), MAX_ROWS))
    return [ranking_row(points, number, keys, shared, ranks[number]) for number in numbers]


def ranking_row(
    points: list[Point], number: int, keys: list[str], shared: list[str], place: int | None
) -> list[str]:
    """Return one point's row; points with missing runs have no rank."""
    point = points[number]
    cells = [NOTHING if place is None else str(place)]
    cells += [option_text(point, key) for key in keys]
    cells += [typed_words(point, shared)] if shared else []
    cells += [label_text(point, key) for key in labels_in(points)]
    cells.append(mean_and_deviation(point.val))
    cells += [interval(point.val), repeats_text(point)] if repeated(points) else []
    cells += [mean_and_deviation(point.test)] if tested(points) else []
    return [*cells, f"{mean_epochs(point):.4g}", f"{total_seconds(point):.2f}"]


def repeats_text(point: Point) -> str:
    """Return the number of repeats, ``2 of 3`` where runs are missing."""
    n, jobs = len(point.repeats), len(point.runs)
    if point.complete:
        return str(n)
    return f"{n} of {jobs}" if n == point.done else f"{n} ({point.done} of {jobs} runs)"


def repeated(points: list[Point]) -> bool:
    """Return whether there is a point with more than one repeat."""
    return any(len(point.repeats) > 1 or not point.complete for point in points)


def tested(points: list[Point]) -> bool:
    """Return whether there is a point with a test metric."""
    return any(point.test for point in points)


def test_name(monitor: str) -> str:
    """Return the name of the test metric, ``test/accuracy`` for ``val/accuracy``."""
    return f"test/{monitor.partition('/')[2]}"


def mean_epochs(point: Point) -> float:
    """Return the mean number of epochs of a point's repeats."""
    return estimate([repeat.epochs for repeat in point.repeats]).mean


def total_seconds(point: Point) -> float:
    """Return the seconds that all of a point's runs took together."""
    return sum(run.result["seconds"] for run in point.runs if run.result)


def omitted_text(points: list[Point]) -> str:
    """Return the note on omitted rows, or an empty text."""
    left = len(points) - MAX_ROWS
    return f"{left} more are in results.csv." if left > 0 else ""


def typed_words(point: Point, keys: list[str]) -> str:
    """Format the keys that were typed for a point's runs as overrides, ``optim.momentum=0.9``."""
    typed = {key for run in point.runs for key in run.typed}
    return " ".join(
        f"{key}={option_text(point, key)}" for key in keys if key in point.values and key in typed
    )
