"""Rank the runs in folders by their validation metric.

    dlcourse collect <folder> [<folder> ...] [csv=<file>] [markdown=<file>]
        [latex=<file>] [plots=<folder>]

Prints a table of the options that vary, with mean, standard deviation and 95 % interval over seeds
or folds, and whether the best differs significantly from the second. Writes results.csv,
results.md, results.tex and plots into the first folder, or into the given places. The test metric
is shown and never used for ranking. Runs that failed or have not finished are listed.
"""

from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.report.write_report import write_report
from dlcourse.schema.arguments import arguments


def main(args: list[str]) -> None:
    """Read the runs and write the report."""
    folders = [arg for arg in args if Path(arg).is_dir() or "=" not in arg]
    folders = [arg for arg in folders if not arg.startswith("-")]
    places: dict[str, str] = dict.fromkeys(("csv", "markdown", "latex", "plots"), "")
    options = arguments([arg for arg in args if arg not in folders], places, __doc__)
    wrong = [folder for folder in folders if not Path(folder).is_dir()]
    if wrong or not folders:
        raise UserError(f"{' '.join(wrong) or 'Nothing'} is not a folder of runs.\n{__doc__}")
    named = {kind: Path(place) for kind, place in options.items() if place}
    write_report([Path(folder) for folder in folders], Path(folders[0]), named=named)
