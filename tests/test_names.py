"""Every public top-level name is defined in one module of the package: it has one meaning."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from dlcourse import core

PACKAGE = Path(core.__file__).parents[1]
EXPERIMENTS = PACKAGE / "lecture/topics"
"""Each of its modules is run by the name of its lecture and imported by none."""

SAME_CONTRACT = {
    "log": "the logger of a module",
    "look_at": "the entry of a ``what`` of ``dlcourse look``",
    "help_for": "the help of a command with several parts",
    "main": "the entry of a command",
    "open_tracked": "opens a run in one experiment tracker",
    "write_format": "writes a model in one format of ``dlcourse export``",
    "read_format": "reads a model in one format of ``dlcourse export``",
    "OPTIONS": "the own options of ``dlcourse find-lr``, and of a part of ``dlcourse show``",
    "show": "the entry of a part of ``dlcourse show``",
    "RULES": "the rules of a module of schema/rules, and all of them",
    "MIN_SIZE": "the smallest side of a model's images",
    "TEST_EXAMPLES": "the size of a data set's test part",
    "constant": "a choice of its group: init=constant, schedule=constant",
    "linear": "a choice of its group: data=linear, schedule=linear",
    "none": "a choice of its group: clip=none",
}


def names_in(source: str) -> Iterator[str]:
    """Yield the public names that a module defines at its top level; imports define none."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)]
        else:
            continue
        yield from (name for name in names if not name.startswith("_"))


def defined_twice(sources: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the modules of every name that more than one of them defines."""
    modules = defaultdict(set)
    for module, source in sources.items():
        for name in names_in(source):
            modules[name].add(module)
    return {name: sorted(found) for name, found in modules.items() if len(found) > 1}


def test_every_public_name_is_defined_in_one_module():
    modules = [path for path in PACKAGE.rglob("*.py") if path.parent != EXPERIMENTS]
    sources = {str(path.relative_to(PACKAGE)): path.read_text("utf-8") for path in modules}
    assert len(sources) > 200
    twice = defined_twice(sources)
    assert {name: found for name, found in twice.items() if name not in SAME_CONTRACT} == {}


def test_a_second_definition_is_found_and_an_import_does_not_count():
    first = "import math\nA: int = 1\nB, C = 2, 3\ndef f(): ...\n_own = 1"
    second = "from first import A\nclass f: ...\nC = 4\n_own = 2"
    assert defined_twice({"first": first, "second": second}) == {
        "C": ["first", "second"],
        "f": ["first", "second"],
    }


def test_every_test_file_has_its_own_name():
    """Pytest imports a file by its name alone, so two with one name cannot be collected."""
    names = sorted(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert len(names) > 100
    assert [name for name in sorted(set(names)) if names.count(name) > 1] == []
