"""Write a report on runs and sweeps: one page, report.html, and the same as report.md.

    dlcourse report <folder> [<folder> ...] [html=<file>] [markdown=<file>]

The page has the question, the answer with the test, the commands, what differs, tables, curves
(point at them for values, click on the legend), the plots in the runs' folders, warnings, versions,
and how to reproduce each run. It is one file that needs no network. Each folder is of a run or a
sweep, or holds several; with one, the files are written into it, with more into the current folder.
"""

from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.report.page import write_page
from dlcourse.schema.arguments import arguments
from dlcourse.terminal.installed import short_path


def main(args: list[str]) -> None:
    """Read the runs, write both files and print where they are."""
    folders = [arg for arg in args if Path(arg).is_dir() or "=" not in arg]
    folders = [arg for arg in folders if not arg.startswith("-")]
    rest = [arg for arg in args if arg not in folders]
    options = arguments(rest, {"run": "", "html": "", "markdown": ""}, __doc__)
    folders += [options["run"]] if options["run"] else []
    wrong = [folder for folder in folders if not Path(folder).is_dir()]
    if wrong or not folders:
        raise UserError(f"{' '.join(wrong) or 'Nothing'} is not a folder of runs.\n{__doc__}")
    places = {name: options[name] or None for name in ("html", "markdown")}
    page = write_page(folders, **places)
    text = Path(places["markdown"] or page.with_suffix(".md"))
    print(f"The report is in {short_path(page)}, as Markdown in {short_path(text)}")
