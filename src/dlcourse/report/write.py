"""The report on a sweep or on any runs: on the screen, as tables in three formats, as plots."""

from collections.abc import Callable, Mapping
from pathlib import Path

from dlcourse.drawing.text import fonts_for
from dlcourse.errors import UserError
from dlcourse.guard import guarded
from dlcourse.report import comparison, nested
from dlcourse.report.csv_table import csv_table
from dlcourse.report.grouping import group_points
from dlcourse.report.keys import MAIN, column_keys, swept_keys
from dlcourse.report.latex import latex
from dlcourse.report.left_out import left_out
from dlcourse.report.markdown import markdown
from dlcourse.report.places import Places
from dlcourse.report.points import Point
from dlcourse.report.ranking import by_data, by_measure, rank_by_data
from dlcourse.report.runs import find_runs
from dlcourse.report.screen import fitted, screen
from dlcourse.report.written import option
from dlcourse.runs.run_folder import shown
from dlcourse.schema.comparable import data_of, differing, loss_of, words_of

MOST_DATA = 10  # data sets of which the best is named

Told = tuple[list[Point], list[str], str]
"""Ranked points with the same measure, the keys of their table, and what is said of them."""


def write_report(
    folders: list[Path],
    where: Path,
    *,
    importances: Mapping[str, float] | None = None,
    say: Callable[[str], object] = print,
    named: Mapping[str, Path] | None = None,
) -> None:
    """Say how the runs below folders compare, and write it down in the folder ``where``.

    importances: the share of each key in what the figure depends on, to be drawn.
    named: other places, ``{"csv": file, "markdown": file, "latex": file, "plots": folder}``.
    Raises UserError where nothing has finished, a run's file is damaged, or a file outside of
    the folders would be written over.
    """
    runs = find_runs(folders)
    points = group_points(runs)
    groups = by_measure(points)
    parts = [part for part in map(rank_by_data, groups) if part]
    left = left_out(runs)
    if not parts:
        here = ", ".join(map(str, folders))
        raise UserError(f"{here} holds no finished run ({len(runs)} others).\n{left}".strip())
    places = Places.of(where, named or {}, folders)
    told = [(part, shown_keys(part, parts), sentences(part, len(parts) > 1)) for part in parts]
    with guarded("The table on the screen"):
        for part, keys, text in told:
            say(screen(part, keys))
            say(fitted(text))
        if left:
            say(left)
    texts = {
        "csv": lambda: csv_table(points, folders[0]),
        "markdown": lambda: in_markdown(told, left),
        "latex": lambda: "\n".join(latex(part, keys) for part, keys, _ in told),
    }
    for kind, text_of in texts.items():
        with guarded(f"The table {places.texts[kind].name}", UserError):
            places.write_text(kind, text_of())
    largest = max(groups, key=lambda group: len(rank_by_data(group)))
    shares = importances or {} if len(by_data(max(parts, key=len))) == 1 else {}
    draw(largest, shares, places)
    if len(parts) > 1:
        say(f"The plots are of the {len(max(parts, key=len))} points in the largest table")
    say(f"Written to {shown(places.folder)}: {', '.join(places.written)}")


def shown_keys(part: list[Point], parts: list[list[Point]]) -> list[str]:
    """Return the keys of a table's columns; main ones also where only the tables differ in them."""
    own = column_keys(part)
    whole = column_keys([point for some in parts for point in some])
    return own if len(parts) == 1 else [key for key in whole if key in own or key in MAIN]


def sentences(ranked: list[Point], several: bool) -> str:
    """Say where the best points are, how sure their lead is, and what nested folds tell.

    several: whether there is another table, with another measure.
    """
    parts = by_data(ranked)
    texts = []
    if several and (loss := loss_of(ranked[0].values)):
        measure = words_of(loss, [key for key, _ in loss])
        texts.append(f"{ranked[0].monitor} of {measure}; other losses have no common scale with it")
    if len(parts) > 1:
        differ = differing([data_of(part[0].values) for part in parts])
        names = ", ".join(key.removesuffix("._target_") for key in differ)
        texts.append(
            f"Values on different data ({names}) cannot be compared: "
            "ranks are among the points on the same data"
        )
    compared = [part for part in parts if len(part) > 1 or len(parts) == 1]
    for part in compared[:MOST_DATA]:
        where = f"On {data_words(part[0], parts)}: " if len(parts) > 1 else ""
        texts.append(f"{where}{verdict(part, column_keys(part))}")
    if len(compared) > MOST_DATA:
        texts.append(f"{len(compared) - MOST_DATA} more data sets: their ranks are in the table")
    return "\n".join(texts)


def data_words(point: Point, parts: list[list[Point]]) -> str:
    """Return on which data a point was measured, ``data=mnist``."""
    data = data_of(point.values)
    return words_of(data, differing([data_of(part[0].values) for part in parts]))


def verdict(ranked: list[Point], keys: list[str]) -> str:
    """Say of points on the same data where the best is, and how sure its lead is."""
    names = list(dict.fromkeys(shown(run.folder) for run in ranked[0].runs))
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    texts = [f"The best by {ranked[0].monitor} is in {names[0]}{more}"]
    if pair := comparison.best_two(ranked):
        texts.append(comparison.tell(*pair, keys, len(ranked)))
    if found := nested.nest(ranked):
        texts.append(nested.tell(found, keys, len(ranked)))
    return "\n".join(texts)


def in_markdown(told: list[Told], left: str) -> str:
    """Return tables and sentences as one Markdown file."""
    parts = [f"{markdown(part, keys)}\n```\n{text}\n```\n" for part, keys, text in told]
    return "\n".join([*parts, *([f"```\n{left}\n```\n"] if left else [])])


def draw(points: list[Point], importances: Mapping[str, float], places: Places) -> None:
    """Draw what can be drawn of points with the same measure."""
    if len(points) < 2 and not importances:
        return
    with guarded("Drawing the plots", UserError):
        from dlcourse.report.plots.all_plots import plots  # matplotlib takes its time

        keys = swept_keys(points)
        with fonts_for(option(point, key) for point in points for key in keys):
            for name, draw in plots(points, keys, importances).items():
                with guarded(f"The plot {name}", UserError):
                    figure = draw()
                    if figure is not None:
                        places.write_plot(name, figure)
