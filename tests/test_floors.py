"""Nothing imports what lies on its own floor or above: the loop no model, a leaf no other leaf."""

import ast
from pathlib import Path

import pytest

import dlcourse
from dlcourse.schema.validate import GROUPS

PACKAGE = Path(dlcourse.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
GUARDED = {"guard", "plot_text"}
LEAVES = set(GROUPS) - {"runtime"}
GROUND = {
    "core",
    "error",
    "durable",
    "duration",
    "order",
    "random_streams",
    "allocator",
    "runtime",
    "layer",
    "light",
    "guard",
    "live",
    "plot_text",
}
SAID = {"command", "installed", "live", "own_code", "streams", "told", "zoo"}
STORED = {"run_folder", "older", "overrides", "trust", "comparable"}
TYPED = {"typed", "suggest", "synonyms"}
BEFORE_TORCH = SAID | STORED | {"kind", "bounds", "facts", "rules", "check", "imports", "duration"}
TORCH_FREE = (
    BEFORE_TORCH | TYPED | {"error", "durable", "compose", "cli", "start", "report", "guard"}
)
HYDRA = {"cli", "compose", "typed", "experiment", "start", "sweep"}


def noun(path: Path) -> str:
    """Return the file or folder that a path is in: ``model`` or ``experiment``."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path, *, at_once: bool = False) -> set[str]:
    """Return the names of all imported modules; ``at_once``: of those outside of functions."""
    tree = ast.parse(path.read_text())
    found = set()
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if at_once and id(node) in inside:
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{name.name}" for name in node.names} | {node.module}
    return found


def own(path: Path) -> set[str]:
    """Return the nouns of dlcourse that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("dlcourse.")}


def allowed(path: Path) -> set[str]:
    """Return the nouns that a file on its floor may import."""
    here = noun(path)
    if here in GROUND:
        return (
            GROUND
            if here in ("layer", "runtime")
            else {"error", "core", "durable", "random_streams"}
        )
    if here in LEAVES:
        return GROUND | {here}
    if here == "train":
        return GROUND | {"train"}
    if here == "report":
        return {
            "report",
            "run_folder",
            "durable",
            "error",
            "kind",
            "bounds",
            "command",
            "comparable",
            "facts",
            "guard",
            "live",
            "plot_text",
        }
    if here in BEFORE_TORCH:
        return BEFORE_TORCH | {"error", "durable"}
    everything = {noun(file) for file in FILES}
    return everything - {"cli"} if here != "cli" else everything


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_what_lies_below_it(path):
    assert own(path) - {"__version__"} <= allowed(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_and_the_experiment_know_hydra(path):
    knows = any(name.split(".")[0] == "hydra" for name in imports(path))
    assert not knows or noun(path) in HYDRA


@pytest.mark.parametrize("name", sorted(TORCH_FREE))
def test_what_runs_before_the_checks_imports_no_torch(name):
    heavy = {"torch", "torchvision", "numpy", "scipy", "sklearn", "matplotlib"}
    paths = [path for path in FILES if noun(path) == name and path.parent.name != "picture"]
    assert paths
    for path in paths:
        assert not {n.split(".")[0] for n in imports(path, at_once=True)} & heavy


def test_pictures_are_imported_only_when_they_are_drawn():
    for path in FILES:
        if path.parent.name != "picture":
            named = imports(path, at_once=True)
            assert not any(name.startswith("dlcourse.report.picture") for name in named), path


def test_opening_a_group_imports_nothing():
    for path in PACKAGE.glob("*/__init__.py"):
        assert not imports(path), path


def test_the_test_of_floors_sees_an_import_that_is_wrong(tmp_path):
    wrong = tmp_path / "wrong.py"
    wrong.write_text("from dlcourse.model.mlp import MLP\n")
    assert own(wrong) == {"model"}
    assert "model" not in allowed(PACKAGE / "train/fit.py")
