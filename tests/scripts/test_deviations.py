"""The table of references names what is missing, what fails and what deviates too much."""

import importlib.util
import sys
from contextlib import suppress
from types import SimpleNamespace

import pytest
from conftest import ROOT, options
from references.groups import GROUPS, expected
from references.row import Row

from dlcourse.errors import UserError

SPEC = importlib.util.spec_from_file_location("deviations", ROOT / "scripts/deviations.py")
script = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(script)


def broken(compose):
    raise ValueError("no such thing\nreally")


TABLE = {
    "max": Row("a source | of [truth]", lambda compose: 1e-7, 1e-6),
    "average": Row("another", lambda compose: 1e-5, 1e-6),
    "sum": Row("a third", lambda compose: float("nan"), 1e-6),
    "stochastic": Row("a fourth", broken, 1e-6),
    "median": Row("of no pooling", lambda compose: 0.0, 0.0),
}
EXPECTED = {
    "max": "",
    "average": "is too far off",
    "sum": "is too far off",
    "stochastic": "ValueError: no such thing",
    "median": "is not a name of the catalogue",
}


@pytest.fixture
def table(monkeypatch):
    """Replace the rows of the group pool with made-up ones, and return these."""
    rows = dict(TABLE)
    monkeypatch.setitem(sys.modules, "references.pool", SimpleNamespace(ROWS=rows))
    return rows


@pytest.fixture
def run(monkeypatch, capsys):
    """Return a function from arguments to the exit status and the printed text."""

    def ran(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["deviations.py", *arguments])
        with pytest.raises(SystemExit) as end:
            script.main()
        return end.value.code, capsys.readouterr().out

    return ran


def test_every_row_is_measured_and_reports_its_problem(table, tmp_path):
    rows = script.measure("pool", tmp_path)
    assert {row.name: row.problem for row in rows} == EXPECTED
    assert [row.deviation for row in rows if row.name == "max"] == [1e-7]


def test_a_missing_row_and_a_missing_module_are_reported(table, tmp_path, monkeypatch):
    del table["max"]
    assert ("max", "has no row") in [(r.name, r.problem) for r in script.measure("pool", tmp_path)]
    monkeypatch.setitem(sys.modules, "references.loss", None)
    (row,) = script.measure("loss", tmp_path)
    assert "tests/references/loss.py" in row.problem


def test_the_exit_status_is_0_only_if_every_row_is_right(table, run):
    status, text = run("pool")
    assert status == 1
    assert "5 rows, 4 wrong" in text
    assert "a source | of [truth]" in text
    for name in ("average", "sum", "stochastic", "median"):
        del table[name]
    table |= {name: Row("equal", lambda compose: 0.0, 0.0) for name in ("average", "sum")}
    table["stochastic"] = table["sum"]
    assert run("pool")[0] == 0


def test_the_page_has_a_section_for_each_group_and_a_row_for_each_name(table, tmp_path):
    text = script.page(script.measure("pool", tmp_path))
    assert "## pool" in text
    assert "| max | a source \\| of [truth] | < 1.0e-06 | 1.0e-06 |" in text
    assert "| average | another | **is too far off** | 1.0e-06 |" in text


@pytest.mark.parametrize(
    ("deviation", "allowed", "shown"),
    [
        (0.0, 0.0, "0"),
        (0.0, 1e-6, "< 1.0e-07"),
        (3e-9, 1e-6, "< 1.0e-07"),
        (3e-7, 1e-6, "< 1.0e-06"),
    ],
)
def test_the_page_has_bounds_that_do_not_depend_on_the_machine(deviation, allowed, shown):
    assert script.bound(script.Measured("pool", "max", "", deviation, allowed, "")) == shown


def test_the_page_is_written_for_all_groups(table, run, monkeypatch, tmp_path):
    monkeypatch.setattr(script, "PAGE", tmp_path / "references.md")
    for group in GROUPS:
        monkeypatch.setitem(sys.modules, f"references.{group}", SimpleNamespace(ROWS={}))
    assert run("--markdown")[0] == 1
    text = (tmp_path / "references.md").read_text()
    assert all(f"\n## {group}\n" in text for group in GROUPS)


def test_an_invalid_argument_gets_one_message(monkeypatch):
    messages = {("modle",): "did you mean model", ("--markdown", "loss"): "whole page"}
    for arguments, message in messages.items():
        monkeypatch.setattr("sys.argv", ["deviations.py", *arguments])
        with pytest.raises(UserError, match=message):
            script.main()


@pytest.mark.parametrize("name", ["catalogue", "deviations"])
def test_each_script_prints_its_usage(name, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location(name, ROOT / f"scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr("sys.argv", [f"{name}.py", "--help"])
    with suppress(SystemExit):
        module.main()
    assert f"scripts/{name}.py" in capsys.readouterr().out


@pytest.mark.parametrize("group", GROUPS)
def test_the_references_page_has_every_name_of_the_catalogue(group):
    page = script.PAGE.read_text(encoding="utf-8")
    section = page.split(f"\n## {group}\n")[1].split("\n## ")[0]
    names = [line.split(" | ")[0].strip("| ") for line in section.splitlines()[3:] if line]
    assert sorted(names) == sorted(expected(group, options)), (
        "docs/references.md is stale: type python scripts/deviations.py --markdown"
    )
    assert "**" not in section
