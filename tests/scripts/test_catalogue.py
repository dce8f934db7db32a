"""The catalogue in docs/ agrees with the configs."""

import importlib.util

import pytest
from conftest import CONFIGS, ROOT, options

from dlcourse.schema.bounds import ACTIVATION_NAMES
from dlcourse.schema.validate import GROUPS

SPEC = importlib.util.spec_from_file_location("catalogue", ROOT / "scripts/catalogue.py")
script = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(script)
TEXT = script.page(CONFIGS)


def test_the_catalogue_is_up_to_date():
    written = script.CATALOGUE.read_text(encoding="utf-8")
    assert written == TEXT, "docs/catalogue.md is stale: type python scripts/catalogue.py"


@pytest.mark.parametrize("group", [*GROUPS, "experiment"])
def test_every_option_of_a_group_has_one_row_of_four_cells(group):
    section = TEXT.split(f"\n## {group}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    names = [row.split("|")[1].strip("*` ") for row in rows]
    assert sorted(names) == options(group)
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)


def test_the_catalogue_lists_every_activation():
    assert all(f"`{name}" in TEXT for name in ACTIVATION_NAMES)
    assert "`leaky_relu[:<slope>]`" in TEXT


def test_a_stale_catalogue_is_reported_with_the_command_to_type(tmp_path, monkeypatch, capsys):
    page = tmp_path / "catalogue.md"
    monkeypatch.setattr(script, "CATALOGUE", page)
    monkeypatch.setattr("sys.argv", ["catalogue.py", "--check"])
    with pytest.raises(SystemExit, match="1"):
        script.main()
    assert "python scripts/catalogue.py" in capsys.readouterr().err
    page.write_text(TEXT + "more")
    with pytest.raises(SystemExit, match="1"):
        script.main()
    monkeypatch.setattr("sys.argv", ["catalogue.py"])
    script.main()
    monkeypatch.setattr("sys.argv", ["catalogue.py", "--check"])
    script.main()
    assert page.read_text() == TEXT


def test_the_script_does_not_import_torch(command):
    ended = command("--check", script="scripts/catalogue.py", PYTHONPROFILEIMPORTTIME="1")
    imported = {line.split("|")[-1].strip() for line in ended.stderr.splitlines()}
    assert "omegaconf" in imported
    assert not imported & {"torch", "numpy"}


def test_an_unknown_argument_gets_one_message(command):
    ended = command("--chek", script="scripts/catalogue.py")
    assert ended.returncode == 2
    assert "--chek" in ended.stderr
