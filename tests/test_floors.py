"""Every package imports only from floors below its own."""

import ast
from pathlib import Path

import pytest
from conftest import ROOT
from floors import FLOORS, GROUPS, floor_of, may_import, page

import dlcourse

PACKAGE = Path(dlcourse.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
TORCH_FREE = {
    "errors",
    "atomic_files",
    "guard",
    "terminal",
    "schema",
    "runs",
    "report",
    "tracking",
    "cli",
    "commands",
}
HEAVY = {"torch", "torchvision", "numpy", "scipy", "sklearn", "matplotlib"}
HYDRA = {"api", "cli", "schema", "engine", "sweep"}


def package_of(path: Path) -> str:
    """Return the package, or the module at the top, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, *, at_once: bool = False) -> set[str]:
    """Return the names of all imported modules.

    at_once: only those imported when the file itself is imported: outside functions and not below
    ``if TYPE_CHECKING``.
    """
    tree = ast.parse(path.read_text())
    found = set()
    inside = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.FunctionDef)
        or (isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING")
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if at_once and id(node) in inside:
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" for name in node.names} | {node.module}
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= module_named(node.value)
    return found


def module_named(text: str) -> set[str]:
    """Return the module that a string such as ``"dlcourse.engine.run"`` names, if there is one."""
    path = PACKAGE.parent / text.replace(".", "/")
    is_module = text.startswith("dlcourse.") and path.with_suffix(".py").is_file()
    return {text} if is_module else set()


def imported_packages(path: Path) -> set[str]:
    """Return the packages of dlcourse that a file imports."""
    names = {name.split(".")[1] for name in imports(path) if name.startswith("dlcourse.")}
    return names - {"__version__"}


def wrong_imports(path: Path, package: str) -> set[str]:
    """Return what a file of a package imports and may not import."""
    return {name for name in imported_packages(path) if not may_import(package, name)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_from_the_floors_below(path):
    if package_of(path) == "__init__":  # the front of the package: it names the API
        assert imported_packages(path) == {"api", "errors", "sweep", "train"}
    else:
        assert not wrong_imports(path, package_of(path))


@pytest.mark.parametrize(
    ("package", "line"),
    [
        ("train", "from dlcourse.model.mlp import MLP"),
        ("introspect", "from dlcourse.sweep.plan import Plan"),
        ("model", "from dlcourse.optim.muon import Muon"),
        ("core", "from dlcourse.train.fit import fit"),
        ("schema", "from dlcourse.runs.run_folder import CONFIG"),
        ("engine", "from dlcourse import cli"),
        ("engine", "run = import_module('dlcourse.cli')"),
        ("report", "def late():\n    from dlcourse.sweep.plan import Plan"),
    ],
)
def test_a_wrong_import_is_found(package, line, tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text(f"{line}\n")
    assert wrong_imports(wrong, package)


def test_every_package_is_on_exactly_one_floor():
    packages = {package_of(path) for path in FILES} - {"__init__"}
    listed = [name for floor in FLOORS for name in floor.packages]
    assert sorted(listed) == sorted(packages)


def test_the_groups_of_the_configs_are_the_groups_of_floor_2():
    from dlcourse.schema.validate import GROUPS as CONFIG_GROUPS

    assert set(CONFIG_GROUPS) - {"runtime"} == set(GROUPS)
    assert {floor_of(group) for group in GROUPS} == {2}


def test_docs_floors_md_is_up_to_date():
    written = (ROOT / "docs/floors.md").read_text()
    assert written == page(), "docs/floors.md is stale: type python tests/floors.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_a_few_packages_import_hydra(path):
    knows = any(name.split(".")[0] == "hydra" for name in imports(path))
    assert not knows or package_of(path) in HYDRA


@pytest.mark.parametrize("name", sorted(TORCH_FREE))
def test_code_that_runs_before_the_checks_imports_no_torch(name):
    paths = [path for path in FILES if package_of(path) == name and path.parent.name != "plots"]
    assert paths
    for path in paths:
        assert not {n.split(".")[0] for n in imports(path, at_once=True)} & HEAVY, path


def test_modules_of_plots_are_imported_only_inside_functions():
    for path in FILES:
        if path.parent.name != "plots":
            named = imports(path, at_once=True)
            assert not any(name.startswith("dlcourse.report.plots") for name in named), path


def test_init_files_import_nothing_except_at_the_top_and_in_core():
    for path in PACKAGE.rglob("*/__init__.py"):
        assert path.parent in (PACKAGE, PACKAGE / "core") or not imports(path), path
