"""The report on a sweep or on any runs: on the terminal, as three table files, as plots."""

from collections.abc import Callable, Mapping
from pathlib import Path

from dlcourse.drawing.text import fonts_for
from dlcourse.errors import UserError
from dlcourse.guard import guarded
from dlcourse.report.conclusions import conclusions, nothing_finished_text, unfinished_text
from dlcourse.report.console_table import console_table
from dlcourse.report.exports import csv_text, latex_table, markdown_table
from dlcourse.report.formatting import option_text
from dlcourse.report.output_files import OutputFiles
from dlcourse.report.points import MAIN, Point, column_keys, group_points, swept_keys
from dlcourse.report.ranking import by_data, by_measure, rank_by_data
from dlcourse.report.runs import find_runs
from dlcourse.report.table_rows import shared_labels
from dlcourse.terminal.fitted import wrap_to_terminal
from dlcourse.terminal.installed import short_path

Section = tuple[list[Point], list[str], str]
"""Ranked points with the same measure, the keys of their table, and the text below it."""


def write_report(
    folders: list[Path],
    where: Path,
    *,
    importances: Mapping[str, float] | None = None,
    say: Callable[[str], object] = print,
    named: Mapping[str, Path] | None = None,
) -> None:
    """Print the comparison of the runs below folders, and write its files into ``where``.

    importances: the share of each key in the variance of the metric, to be plotted.
    named: other paths, ``{"csv": file, "markdown": file, "latex": file, "plots": folder}``.
    Raises UserError if no run is finished, a run's file is damaged, or a file outside of the
    folders would be overwritten.
    """
    runs = find_runs(folders)
    points = group_points(runs)
    groups = by_measure(points)
    parts = [part for part in map(rank_by_data, groups) if part]
    if not parts:
        raise UserError(nothing_finished_text(folders, runs))
    left = unfinished_text(runs)
    places = OutputFiles.of(where, named or {}, folders)
    sections = [
        (part, shown_keys(part, parts), conclusions(part, len(parts) > 1)) for part in parts
    ]
    with guarded("The table on the screen"):
        for part, keys, text in sections:
            say(console_table(part, keys))
            if labels := shared_labels(part):
                say(labels)
            say(wrap_to_terminal(text))
        if left:
            say(left)
    texts = {
        "csv": lambda: csv_text(points, folders[0]),
        "markdown": lambda: in_markdown(sections, left),
        "latex": lambda: "\n".join(latex_table(part, keys) for part, keys, _ in sections),
    }
    for kind, text_of in texts.items():
        with guarded(f"The table {places.texts[kind].name}", UserError):
            places.write_text(kind, text_of())
    largest = max(groups, key=lambda group: len(rank_by_data(group)))
    shares = importances or {} if len(by_data(max(parts, key=len))) == 1 else {}
    write_plots(largest, shares, places)
    if len(parts) > 1:
        say(f"The plots are of the {len(max(parts, key=len))} points in the largest table")
    say(f"Written to {short_path(places.folder)}: {', '.join(places.written)}")


def shown_keys(part: list[Point], parts: list[list[Point]]) -> list[str]:
    """Return the keys of a table's columns, with main keys in which only the tables differ."""
    own = column_keys(part)
    whole = column_keys([point for some in parts for point in some])
    return own if len(parts) == 1 else [key for key in whole if key in own or key in MAIN]


def in_markdown(sections: list[Section], left: str) -> str:
    """Return all sections as one Markdown text."""
    parts = [f"{markdown_table(part, keys)}\n```\n{text}\n```\n" for part, keys, text in sections]
    return "\n".join([*parts, *([f"```\n{left}\n```\n"] if left else [])])


def write_plots(points: list[Point], importances: Mapping[str, float], places: OutputFiles) -> None:
    """Write the plots of points with the same measure; a plot that fails costs one warning."""
    if sum(len(point.runs) for point in points) < 2 and not importances:
        return
    with guarded("Drawing the plots", UserError):
        from dlcourse.report.plots.all_plots import plots  # matplotlib is slow to import

        keys = swept_keys(points)
        with fonts_for(option_text(point, key) for point in points for key in keys):
            for name, draw in plots(points, keys, importances).items():
                with guarded(f"The plot {name}", UserError):
                    figure = draw()
                    if figure is not None:
                        places.write_plot(name, figure)
