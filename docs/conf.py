"""How Sphinx builds the docs site: ``make docs``."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from docutils.nodes import SkipNode

import dlcourse
from dlcourse.lecture.html import formula

project = "dlcourse"
author = "the dlcourse developers"
project_copyright = author
release = version = dlcourse.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "notebook.ipynb"]
nitpicky = False

html_theme = "furo"
html_title = "dlcourse"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
html_math_renderer = "mathml"  # which browsers draw without a script from elsewhere
myst_heading_anchors = 3
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"exclude-members": "__init__, __new__"}
autodoc_class_signature = "separated"
add_module_names = False
python_maximum_signature_line_length = 88

FIELD = re.compile(r"^(\*{0,2}\w+(?:(?:,| and) \w+)*|Reference|Departs from it): (.*)$")
STAR = re.compile(r"(?<![`*\\w\\])\*(?=\w)")  # (N, *shape): not the start of emphasis
PROSE = ("Note", "Example")  # a line that starts so is a sentence, not an argument's name


def list_fields(app, what, name, obj, options, lines: list[str]) -> None:
    """Turn ``name: what it is`` lines of a docstring into a list.

    dlcourse's docstrings have one such line for each argument or attribute, with its continuation
    indented; reStructuredText would read them as one paragraph.
    """
    done: list[str] = []
    in_field = False
    for line in lines:
        parts = line.split("``")  # of these, every second one is code
        parts[::2] = [STAR.sub(r"\\*", part) for part in parts[::2]]
        line = "``".join(parts)
        match = FIELD.match(line)
        if match and match[1] not in PROSE:
            if done and done[-1] and not in_field:
                done.append("")
            label = f"``{match[1]}``" if match[1][:1].islower() else f"*{match[1]}*"
            done.append(f"- {label}: {match[2]}")
            in_field = True
        elif in_field and line.strip():
            done.append(f"  {line.strip()}")
        else:
            done.append(line)
            in_field = False
    lines[:] = done


def write_inline_math(translator, node) -> None:
    """Write an inline formula as MathML."""
    translator.body.append(formula(node.astext(), "inline"))
    raise SkipNode


def write_math_block(translator, node) -> None:
    """Write a formula that stands alone as MathML."""
    translator.body.append(f'<div class="math">{formula(node.astext(), "block")}</div>')
    raise SkipNode


def setup(app) -> None:
    """Register the docstring hook and the formulas with Sphinx."""
    app.connect("autodoc-process-docstring", list_fields)
    app.add_html_math_renderer("mathml", (write_inline_math, None), (write_math_block, None))
