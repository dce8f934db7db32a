"""Rank the runs below folders by their validation figure.

    python scripts/collect.py <folder> [<folder> ...] [csv=<file>] [markdown=<file>]
        [latex=<file>] [plots=<folder>]

Prints a table of what was varied, with mean, standard deviation and 95 % interval over seeds or
folds, and whether the best is better than the second by more than chance. Writes results.csv,
results.md, results.tex and plots into the first folder, or where it is told. The test figure is
shown and never used for ranking. Runs that failed or have not finished are named.
"""

import clone  # noqa: F401  (finds src/)

import sys
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.report.write_report import write_report
from dlcourse.schema.arguments import arguments
from dlcourse.terminal.command import one_message


def main() -> None:
    """Read the words and write the report."""
    words = sys.argv[1:]
    folders = [word for word in words if Path(word).is_dir() or "=" not in word]
    folders = [word for word in folders if not word.startswith("-")]
    places = dict.fromkeys(("csv", "markdown", "latex", "plots"), "")
    options = arguments([word for word in words if word not in folders], places, __doc__)
    wrong = [folder for folder in folders if not Path(folder).is_dir()]
    if wrong or not folders:
        raise UserError(f"{' '.join(wrong) or 'Nothing'} is not a folder of runs.\n{__doc__}")
    named = {kind: Path(place) for kind, place in options.items() if place}
    write_report([Path(folder) for folder in folders], Path(folders[0]), named=named)


if __name__ == "__main__":
    with one_message():
        main()
