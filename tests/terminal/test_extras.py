"""Optional packages: each missing one gives one message with what to install."""

import re
import sys
import tomllib

import pytest
from conftest import ROOT

from dlcourse.errors import UserError
from dlcourse.terminal.extras import EXTRAS, refuse_missing, require


@pytest.mark.parametrize("module", [*EXTRAS, "pandas"])
def test_a_missing_package_is_named_with_what_to_type(module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    package = f"'dlcourse[{EXTRAS[module]}]'" if module in EXTRAS else module
    for check in (require, refuse_missing):
        with pytest.raises(UserError) as refused:
            check(module, "model=mine")
        assert str(refused.value) == (
            f"model=mine needs {module}, which is not installed.\nType pip install {package}"
        )


def test_a_package_that_is_installed_is_returned():
    assert require("json", "this test").loads("[1]") == [1]


def test_every_extra_exists_and_brings_its_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for module, extra in EXTRAS.items():
        packages = [re.match(r"[\w-]+", one)[0] for one in project["optional-dependencies"][extra]]
        assert module in packages
