"""Compare two finished runs.

    dlcourse compare <folder of run A> <folder of run B>
        [folder=<new folder>] [data.root=<folder>] [trust=<module>]

Prints the options that differ, the results next to each other, and a test on the same test
examples, which both models predict again: McNemar's test of two classifiers with the recall of each
class, Wilcoxon's signed-rank test of the errors of two regressions. The models of a
cross-validation predict together. Writes the curves of both, the agreement, the images on which
they disagree, and one page, comparison.html, into a new folder below outputs/compare/.
"""

from datetime import datetime
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.schema.arguments import arguments
from dlcourse.schema.typed_alone import existing_folders, separate_folders
from dlcourse.terminal.command import own_name
from dlcourse.terminal.fitted import terminal_width
from dlcourse.terminal.installed import short_path
from dlcourse.terminal.live_line import working


def main(args: list[str]) -> None:
    """Compare the runs, print the comparison and write its files."""
    folders, rest = separate_folders(args)
    options = arguments(rest, {"folder": "", "data.root": "", "trust": ""}, __doc__)
    if len(folders) != 2:
        named = f"{len(folders)} folders are" if len(folders) != 1 else "1 folder is"
        raise UserError(
            f"{named} given, and a comparison is of two runs.\n"
            f"Type {own_name('compare')} <folder of run A> <folder of run B>, or for the table of "
            f"any number of runs {own_name('collect')} <folder> ..."
        )
    paths = existing_folders(folders)

    with working("importing PyTorch", plain=False):
        from dlcourse.report.comparison.compare import compare_runs, write_comparison
        from dlcourse.runs.run_folder import claim

    trust = [name for name in options["trust"].strip("[]").split(",") if name]
    found = compare_runs(*paths, trust=trust, root=options["data.root"])
    print(found.text(terminal_width()))
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    names = f"{found.first.name}-{found.second.name}".replace("/", "_")
    wanted = Path(options["folder"] or f"outputs/compare/{now}-{names}"[:200])
    folder = claim(wanted)
    write_comparison(found, folder)
    print(f"\nPlots and comparison.html are in {short_path(folder)}")
