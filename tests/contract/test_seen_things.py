"""Everything that can be drawn is documented: each ``what``, and each plot of a run or a sweep."""

import re

import pytest
from conftest import ROOT

from dlcourse.look.registry import WHATS
from dlcourse.observe.run_plots import RUN_PLOTS
from dlcourse.preview.kinds import KINDS
from dlcourse.report.plots.all_plots import plots

PAGES = {path.name: path.read_text("utf-8") for path in (ROOT / "docs").glob("*.md")}
COURSE_MAP = PAGES.pop("course_map.md")
DRAWN = [f"dlcourse look {name}" for name in WHATS] + [f"dlcourse show {name}" for name in KINDS]


def has_command(text: str, command: str, what: str) -> bool:
    """Return whether a text has ``dlcourse look ... what=filters``, alone or in a list."""
    if what == "data" and re.search("dlcourse show (?!what=)", text):
        return True  # the default of dlcourse show
    typed = rf"{command} (?:[^`\n]* )?what=([\w,]+)"
    return any(what in names.split(",") for names in re.findall(typed, text))


@pytest.mark.parametrize("drawn", DRAWN)
def test_each_what_has_a_page_and_a_row_of_the_course_map(drawn):
    command, _, what = drawn.rpartition(" ")
    assert any(has_command(page, command, what) for page in PAGES.values()), (
        f"type the command {command} ... what={what} on a page of docs/"
    )
    assert has_command(COURSE_MAP, command, what), (
        f"add a row with {command} ... what={what} to docs/course_map.md"
    )


@pytest.mark.parametrize("name", [*RUN_PLOTS, *plots([], [], {})])
def test_each_plot_of_a_run_or_a_sweep_is_named_on_a_page(name):
    named = re.compile(rf"`(plots/)?{name}(\.png|\.gif)?`")
    assert any(named.search(page) for page in PAGES.values()), f"{name} is on no page of docs/"


def test_what_nobody_documents_is_found():
    assert not has_command(COURSE_MAP, "dlcourse look", "kaleidoscope")
    assert has_command("`dlcourse look lenet what=filters,maps`", "dlcourse look", "maps")
    assert not has_command("`dlcourse look lenet what=filters,maps`", "dlcourse look", "map")
