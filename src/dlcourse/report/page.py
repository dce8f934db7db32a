"""Write the report on runs and sweeps: ``report.html`` and ``report.md``."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.report.page_content import gather_content
from dlcourse.report.page_rendering import (
    GENERATOR,
    MARKDOWN_MARK,
    html_page,
    markdown_page,
)
from dlcourse.report.runs import files_named
from dlcourse.schema.run_files import CONFIG, MANIFEST, PLOTS, REPORT

HTML_MARK = f'<meta name="generator" content="{GENERATOR}">'


def write_page(
    folders: Sequence[Path | str],
    *,
    html: Path | str | None = None,
    markdown: Path | str | None = None,
    say: Callable[[str], object] | None = None,
) -> Path:
    """Write the report on the runs in some folders as HTML and as Markdown; return the HTML file.

    html, markdown: other paths. By default the files are ``report.html`` and ``report.md`` in the
    folder, for several folders in the current one; ``report.md`` is next to a given ``html``.
    say: called with each section's answer, its first sentence.

    Raises UserError if a folder holds no finished run, or a file exists that dlcourse has not
    written as a report.
    """
    places = [Path(folder) for folder in folders]
    home = places[0] if len(places) == 1 else Path()
    page = Path(html) if html else home / REPORT
    text = Path(markdown) if markdown else page.with_suffix(".md")
    for path, mark in ((page, HTML_MARK), (text, MARKDOWN_MARK)):
        refuse_foreign(path, mark)
    content = gather_content(places)
    typed = shlex.join(["dlcourse", "report", *map(str, places)])
    write_file(page, html_page(content, typed))
    write_file(text, markdown_page(content, text.parent, curve_images(places)))
    if say is not None:
        for section in content.sections:
            say(section.answer[0])
    return page


def refuse_foreign(path: Path, mark: str) -> None:
    """Raise UserError if a file exists and is not a report that dlcourse has written."""
    if path.is_dir():
        raise UserError(f"{path} is a folder.\nType html=<file> or markdown=<file>")
    try:
        known = not path.exists() or mark in path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    if not known:
        raise UserError(
            f"{path} is already there, and not a report of dlcourse.\n"
            "Type html=<file> or markdown=<file> with a new name"
        )


def write_file(path: Path, text: str) -> None:
    """Write one file of the report; raises UserError if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_files.write_text(path, text)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}.\n"
            "Type html=<file> or markdown=<file>, somewhere you may write"
        ) from error


def curve_images(folders: Sequence[Path]) -> list[tuple[Path, str]]:
    """Return the images of the curves of sweeps and given runs, with alternative texts."""
    sweeps = [path.parent for path in files_named(list(folders), MANIFEST)]
    runs = [folder for folder in folders if (folder / CONFIG).exists()]
    found = [(one / "curves.png", f"Curves of the sweep {one.name}") for one in sweeps]
    found += [(one / PLOTS / "curves.png", f"Curves of the run {one.name}") for one in runs]
    return [(path, alt) for path, alt in found if path.is_file()]
