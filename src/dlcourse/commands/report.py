"""Write a report on runs and sweeps: one page, report.html, and the same as report.md.

    dlcourse report <folder> [<folder> ...] [html=<file>] [markdown=<file>]

Prints the answer, and where the files are. The page has the question, the answer with the test, the
commands, what differs, tables, curves (point at them for values, click on the legend), the plots in
the runs' folders, warnings, versions, and how to reproduce each run. It is one file that needs no
network. Each folder is of a run or a sweep, or holds several; with one, the files are written into
it, with more into the current folder.
"""

from pathlib import Path

from dlcourse.report.page import write_page
from dlcourse.schema.arguments import arguments
from dlcourse.schema.typed_alone import existing_folders, separate_folders
from dlcourse.terminal.fitted import wrap_to_terminal
from dlcourse.terminal.installed import short_path


def main(args: list[str]) -> None:
    """Read the runs, print the answer, write both files and print where they are."""
    folders, rest = separate_folders(args)
    options = arguments(rest, {"run": "", "html": "", "markdown": ""}, __doc__)
    folders += [options["run"]] if options["run"] else []
    paths = existing_folders(folders)
    places = {name: options[name] or None for name in ("html", "markdown")}
    page = write_page(paths, **places, say=lambda text: print(wrap_to_terminal(text)))
    text = Path(places["markdown"] or page.with_suffix(".md"))
    here = ", which is in the current folder" if page.absolute().parent == Path.cwd() else ""
    print(f"The page is {short_path(page)}{here}; as Markdown: {short_path(text)}")
