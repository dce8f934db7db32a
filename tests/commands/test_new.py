"""A new project: its files, its names, and that it trains at once."""

import subprocess
import sys

import pytest
from conftest import ROOT

from dlcourse.commands import new
from dlcourse.errors import UserError


@pytest.fixture
def project(tmp_path, monkeypatch, capsys):
    """Return the folder of a new project, and change into the one above it."""
    monkeypatch.chdir(tmp_path)
    new.main(["pilot_study"])
    return tmp_path / "pilot_study"


def test_the_files_are_listed_and_bear_the_projects_name(project, capsys):
    names = sorted(str(path.relative_to(project)) for path in project.rglob("*") if path.is_file())
    assert names == [
        ".gitignore", "README.md", "configs/data/stripes.yaml", "configs/experiment/first.yaml",
        "configs/model/small_net.yaml", "pilot_study/__init__.py", "pilot_study/data.py",
        "pilot_study/model.py", "tests/test_project.py",
    ]  # fmt: skip
    for name in names:
        text = (project / name).read_text()
        assert new.PLACEHOLDER not in text
        assert "template" not in text
    assert "pilot_study.model.SmallNet" in (project / "configs/model/small_net.yaml").read_text()


def test_its_own_tests_pass_and_they_train(project):
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project, capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout
    assert "4 passed" in ended.stdout


@pytest.mark.parametrize(
    ("name", "suggested"),
    [("my-study", "my_study"), ("my.study", "my_study"), ("3d", "project_3d"),
     ("class", "project_class"), ("torch", "project_torch"), ("json", "project_json"),
     ("tests", "project_tests"), ("print", "project_print"), ("sub/my study", "sub/my_study")],
)  # fmt: skip
def test_a_name_that_no_package_can_have_is_refused_with_one_that_works(
    name, suggested, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        new.main([name])
    assert str(caught.value).endswith(f" {suggested}")
    assert not list(tmp_path.iterdir())
    new.refuse_name(tmp_path / suggested)


def test_only_an_empty_folder_is_filled(project):
    with pytest.raises(UserError, match="is not empty; nothing is written"):
        new.main(["pilot_study"])
    empty = project.parent / "empty"
    empty.mkdir()
    new.main(["empty"])
    assert (empty / "empty/model.py").exists()


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["--force"], ["name=a"]])
def test_one_name_is_needed(arguments):
    with pytest.raises(UserError, match="One name is needed"):
        new.main(arguments)
