"""A report's content as one HTML page without any other file, and as Markdown."""

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from dlcourse import __version__, atomic_files
from dlcourse.drawing.text import visible
from dlcourse.report import page_axes
from dlcourse.report.exports import markdown_text
from dlcourse.report.page_chart import Charts
from dlcourse.report.page_content import PageContent

if TYPE_CHECKING:
    from jinja2 import Environment

GENERATOR = "dlcourse report"
MARKDOWN_MARK = f"<!-- {GENERATOR} -->"
FEW = 3  # commands that are shown at once
BOX = {
    "width": page_axes.CHART_WIDTH,
    "height": page_axes.CHART_HEIGHT,
    "left": page_axes.LEFT_EDGE,
    "right": page_axes.CHART_WIDTH - page_axes.RIGHT_SPACE,
    "top": page_axes.TOP_EDGE,
    "bottom": page_axes.CHART_HEIGHT - page_axes.BOTTOM_SPACE,
}


class Ready(str):
    """Markdown that is written as it is; all other texts are escaped."""

    __slots__ = ()


def template_text(name: str) -> str:
    """Return one of the files in ``templates``."""
    return (files("dlcourse.report") / "templates" / name).read_text(encoding="utf-8")


def environment(**options: Any) -> "Environment":
    """Return Jinja's environment, in which a name that is not defined is an error."""
    from jinja2 import Environment, StrictUndefined

    return Environment(undefined=StrictUndefined, **options)


def html_page(content: PageContent, typed: str) -> str:
    """Return the HTML page. typed: the command that makes it again.

    Every text is escaped. The page's policy forbids all requests, and all scripts except its own.
    """
    from markupsafe import Markup

    style, script = template_text("report.css"), template_text("report.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{hash_of(style)}'; "
        f"script-src '{hash_of(script)}'; base-uri 'none'; form-action 'none'"
    )
    template = environment(autoescape=True).from_string(template_text("report.html.jinja"))
    return template.render(
        content=content,
        generator=GENERATOR,
        policy=policy,
        style=Markup(style),
        script=Markup(script),
        box=BOX,
        few=FEW,
        version=__version__,
        typed=typed,
        chart_data=chart_data,
    )


def hash_of(text: str) -> str:
    """Return the hash by which a page's policy allows a script or a style."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def chart_data(charts: Charts) -> Any:
    """Return the values of charts as JSON in which no character can end the script element."""
    from markupsafe import Markup

    values = [chart.values for chart in charts.charts]
    text = atomic_files.to_json({"box": BOX, "legend": charts.legend, "charts": values})
    return Markup(re.sub("[<>&\u2028\u2029]", lambda one: f"\\u{ord(one[0]):04x}", text))


def markdown_page(content: PageContent, folder: Path, curves: Sequence[tuple[Path, str]]) -> str:
    """Return the report as Markdown. Every text is escaped.

    folder: of the Markdown file; images are linked relative to it. curves: images of the curves
    with their alternative texts.
    """

    def image(path: Path, alt: str) -> Ready:
        shown = re.sub(r"[\\\[\]<>`!]", r"\\\g<0>", visible(" ".join(alt.split())))
        return Ready(f"![{shown}]({quote(os.path.relpath(path, folder))})")

    engine = environment(autoescape=False, finalize=markdown_value, keep_trailing_newline=True)
    text = engine.from_string(template_text("report.md.jinja")).render(
        content=content,
        curves=curves,
        mark=Ready(MARKDOWN_MARK),
        block=code_block,
        image=image,
        table=markdown_rows,
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def markdown_value(value: Any) -> Any:
    """Return what is written for an expression of the template."""
    return value if isinstance(value, Ready) else Ready(markdown_text(str(value)))


def markdown_rows(head: Sequence[str], rows: Sequence[Sequence[str]], texts: int) -> Ready:
    """Return a Markdown table. texts: the number of columns on the left that are not numbers."""
    rule = ["---" if number < texts else "---:" for number in range(len(head))]
    lines = [[markdown_text(cell) for cell in row] for row in rows]
    table = [[markdown_text(name) for name in head], rule, *lines]
    return Ready("".join(f"| {' | '.join(line)} |\n" for line in table))


def code_block(text: str) -> Ready:
    """Return a block of code; its fence is longer than any in the text."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Ready(f"{fence}\n{text}\n{fence}\n")
