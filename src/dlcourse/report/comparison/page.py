"""A comparison of two runs as one HTML page that needs no other file and no network."""

from base64 import b64encode
from collections.abc import Sequence
from html import escape

from dlcourse.report.comparison.compare import Comparison

PAGE_WIDTH = 110  # columns of the text on the page

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 1000px; margin: 2em auto; padding: 0 1em; }
pre { font-size: 14px; line-height: 1.35; overflow-x: auto; background: #f6f7f8; padding: 0.8em; }
img { max-width: 100%; height: auto; }
h2 { margin-top: 1.6em; break-after: avoid; }
figure { margin: 1em 0; break-inside: avoid; }
"""


def page_of(comparison: Comparison, images: Sequence[tuple[str, bytes]]) -> str:
    """Return the whole page. images: the title of each plot, and its PNG."""
    names = f"{comparison.first.name} and {comparison.second.name}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(names)} compared</title><style>{STYLE}</style></head><body>\n"
        f"<h1>{escape(names)}</h1>\n{body_of(comparison, images)}\n</body></html>\n"
    )


def body_of(comparison: Comparison, images: Sequence[tuple[str, bytes]]) -> str:
    """Return the sections and the plots as HTML."""
    parts = [
        f"<h2>{escape(title)}</h2>\n<pre>{escape(text)}</pre>"
        for title, text in comparison.sections(PAGE_WIDTH)
    ]
    for title, content in images:
        data = b64encode(content).decode("ascii")
        parts.append(
            f'<figure><h2>{escape(title)}</h2><img alt="{escape(title)}" '
            f'src="data:image/png;base64,{data}"></figure>'
        )
    return "\n".join(parts)
