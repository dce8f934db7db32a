"""Every row of the catalogue is as near to its reference as is said beside it."""

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
def test_a_choice_is_as_near_to_its_reference_as_is_said(row, compose):
    assert row.deviation(compose) <= row.allowed


@pytest.mark.parametrize("group", GROUPS)
def test_no_choice_is_without_a_reference(group):
    assert import_module(f"references.{group}").ROWS.keys() == set(expected(group, options))
