"""Every option agrees with its reference within the stated tolerance."""

from importlib import import_module

import pytest
from conftest import options
from references.groups import GROUPS, expected

ROWS = [
    pytest.param(row, id=f"{group}-{name}")
    for group in GROUPS
    for name, row in import_module(f"references.{group}").ROWS.items()
]


@pytest.mark.parametrize("row", ROWS)
def test_an_option_agrees_with_its_reference_within_the_tolerance(row, compose):
    assert row.deviation(compose) <= row.allowed


@pytest.mark.parametrize("group", GROUPS)
def test_every_option_has_a_reference(group):
    rows = import_module(f"references.{group}").ROWS.keys()
    missing = [f"{group}={option}" for option in expected(group, options) if option not in rows]
    assert missing == [], f"add a row for each to ROWS in tests/references/{group}.py"
    assert rows == set(expected(group, options))
