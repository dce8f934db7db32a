"""Rank the runs in folders by their validation metric.

    dlcourse collect <folder> [<folder> ...] [csv=<file>] [markdown=<file>]
        [latex=<file>] [plots=<folder>]

Prints a table of the options that vary, with mean, standard deviation and 95 % interval over seeds
or folds, and whether the best differs significantly from the second. Writes results.csv,
results.md, results.tex and plots into the first folder, or into the given places. The test metric
is shown and never used for ranking. Runs that failed or have not finished are listed.
"""

from pathlib import Path

from dlcourse.report.write_report import write_report
from dlcourse.schema.arguments import arguments
from dlcourse.schema.typed_alone import existing_folders, separate_folders


def main(args: list[str]) -> None:
    """Read the runs and write the report."""
    folders, rest = separate_folders(args)
    places: dict[str, str] = dict.fromkeys(("csv", "markdown", "latex", "plots"), "")
    options = arguments(rest, places, __doc__)
    paths = existing_folders(folders)
    named = {kind: Path(place) for kind, place in options.items() if place}
    write_report(paths, paths[0], named=named)
