"""The rows of docs/reliability.md name tests that exist, and all rows are there."""

import ast
import re

from conftest import ROOT

PAGE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ([PCDKNS]\d+) \|(.*)\|(.*)\|(.*)\|(.*)\|$", re.MULTILINE)
COUNTS = {"P": 20, "C": 14, "D": 19, "K": 8, "N": 9, "S": 10}
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def missing_tests(page: str) -> list[str]:
    """Return the tests that a page names and that no test file defines."""
    return [
        f"{file}::{name}" for file, name in NAMED.findall(page) if name not in functions_of(file)
    ]


def functions_of(file: str) -> set[str]:
    """Return the names of the functions of a test file; none if there is no such file."""
    path = ROOT / "tests" / file
    if not path.exists():
        return set()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_matrix_names_exists():
    assert len(NAMED.findall(PAGE)) > 60
    assert missing_tests(PAGE) == []


def test_a_test_that_does_not_exist_is_found():
    named = "`test_cli.py::test_nothing` `no/such.py::test_x` `test_cli.py::test_help_and_config`"
    assert len(missing_tests(named)) == 3


def test_every_row_is_there_once_and_has_a_proof_unless_it_says_that_it_has_none():
    rows = ROW.findall(PAGE)
    expected = [f"{letter}{n}" for letter, last in COUNTS.items() for n in range(1, last + 1)]
    assert [name for name, *_ in rows] == expected
    for name, _, _, status, proof in rows:
        assert bool(proof.strip()) == ("not covered" not in status), name
