"""A clone without an installed package, and a Python that lacks dlcourse's dependencies."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from conftest import ROOT

from dlcourse.terminal.installed import NEEDED

COMMANDS = [ROOT / "train.py", *sorted((ROOT / "scripts").glob("*.py"))]


def with_modules(folder, *modules: str) -> dict[str, str]:
    """Return environment variables with which Python finds these modules, all empty."""
    folder.mkdir()
    for name in modules:
        (folder / f"{name}.py").touch()
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder)}


def ended(command, environment, *, cwd):
    # -S: Python finds no installed package, neither dlcourse nor its dependencies
    return subprocess.run([sys.executable, "-S", str(command), "--help"], cwd=cwd,
                          env=environment, capture_output=True, text=True, timeout=60)  # fmt: skip


def test_every_dependency_is_checked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    assert names == set(NEEDED.values())


@pytest.mark.parametrize("command", COMMANDS, ids=lambda path: path.name)
def test_every_command_names_the_missing_packages(command, tmp_path):
    result = ended(command, with_modules(tmp_path / "has", "torch"), cwd=tmp_path)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "lacks torchvision, hydra-core, omegaconf" in result.stderr


@pytest.fixture
def clone(tmp_path):
    """Return a copy of the clone without a virtual environment."""
    folder = tmp_path / "clone"
    folder.mkdir()
    shutil.copy(ROOT / "train.py", folder)
    without = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "src/dlcourse", folder / "src/dlcourse", ignore=without)
    return folder


@pytest.mark.parametrize("missing", NEEDED)
def test_a_missing_dependency_is_named_with_two_ways_to_install_it(missing, clone, tmp_path):
    environment = with_modules(tmp_path / "has", *(set(NEEDED) - {missing}))
    result = ended(clone / "train.py", environment, cwd=tmp_path)
    assert result.returncode == 2
    first, *ways = result.stderr.splitlines()
    assert first.startswith(f"dlcourse: This Python lacks {NEEDED[missing]} (")
    assert "make train" in ways[1]
    assert "pip install -e ." in ways[2]
    (clone / ".venv/bin").mkdir(parents=True)
    (clone / ".venv/bin/python").touch()
    there = ended(clone / "train.py", environment, cwd=clone).stderr
    assert "source .venv/bin/activate" in there
    assert f".venv/bin/python {clone / 'train.py'} --help" in there


@pytest.mark.parametrize("name", ["train.py", "scripts/doctor.py", "scripts/predict.py"])
def test_a_command_runs_the_package_next_to_it(name):
    """Each script, run from another folder, imports dlcourse from its own clone."""
    code = (
        "import runpy, sys; sys.argv[:] = [sys.argv[1], '--help']\n"
        "sys.path[0] = sys.argv[0].rpartition('/')[0]\n"
        "try: runpy.run_path(sys.argv[0], run_name='read')\n"
        "finally: import dlcourse, os; print(dlcourse.__file__, os.environ['PYTHONPATH'])"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    arguments = [sys.executable, "-c", code, str(ROOT / name)]
    result = subprocess.run(arguments, cwd="/", env=environment,
                            capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    source = ROOT / "src"
    assert result.stdout.split() == [str(source / "dlcourse/__init__.py"), str(source)]
