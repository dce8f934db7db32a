"""A lecture's page as HTML, for a browser without any other program."""

import re
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

SIN_X = re.compile(r"(<mi>[a-z]{2,}</mi>)(?=<m[in]>)")
"""The name of a function in MathML, before its argument without parentheses: sin x."""


def html_of(markdown: str, title: str) -> str:
    """Return a page of MyST Markdown with formulas as one HTML document."""
    from jinja2 import Environment
    from markdown_it import MarkdownIt
    from markupsafe import Markup
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    parser = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)

    def inline(self, tokens: "Sequence[Token]", number: int, *rest) -> str:
        return formula(tokens[number].content, "inline")

    def block(self, tokens: "Sequence[Token]", number: int, *rest) -> str:
        return f"<p>{formula(tokens[number].content, 'block')}</p>"

    parser.add_render_rule("math_inline", inline)
    parser.add_render_rule("math_block", block)
    template = (files("dlcourse.lecture") / "templates/page.html.jinja").read_text("utf-8")
    body = Markup(parser.render(markdown))
    return Environment(autoescape=True).from_string(template).render(title=title, body=body)


def formula(latex: str, display: str) -> str:
    """Return a LaTeX formula as MathML. display: ``inline`` or ``block``."""
    from latex2mathml.converter import convert

    return SIN_X.sub(r'\1<mspace width="0.17em" />', convert(latex, display=display))
