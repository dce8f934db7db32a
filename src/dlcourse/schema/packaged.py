"""The configs that dlcourse ships, and the facts that they declare; imports no torch."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from dlcourse.schema.overrides import nodes

PACKAGE_FOLDER = Path(__file__).parents[1]
IN_A_WHEEL = PACKAGE_FOLDER / "configs"
CONFIGS = IN_A_WHEEL if IN_A_WHEEL.is_dir() else PACKAGE_FOLDER.parents[1] / "configs"
"""The folder of the configs: in a wheel inside the package, in a clone next to ``src/``."""

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where it is built in
TARGET = re.compile(r"^\s*_target_: *([\w.]+)", re.MULTILINE)


def choice_files(group: Path) -> dict[str, Path]:
    """Return the files of a group's choices by name, ``lecture/xor`` for one in a sub-folder.

    group: the folder of the group.
    """
    paths = group.rglob("[!_]*.yaml")
    return {path.relative_to(group).with_suffix("").as_posix(): path for path in paths}


@cache
def texts() -> dict[Path, str]:
    """Return the text of every choice's YAML by its path."""
    return {path: path.read_text(encoding="utf-8") for path in sorted(CONFIGS.glob("*/*.yaml"))}


@cache
def own_targets() -> frozenset[str]:
    """Return every ``_target_`` in dlcourse's configs."""
    return frozenset(target for text in texts().values() for target in TARGET.findall(text))


@cache
def declared(target: str) -> Mapping[str, Any]:
    """Return the ``_facts_`` in dlcourse's YAML with this ``_target_``; {} if there are none.

    Files that share a target declare the same facts, so the first one is read.
    """
    for text in texts().values():
        if target in TARGET.findall(text):
            for _, node in nodes(yaml.load(text, LOADER)):
                if node.get("_target_") == target:
                    return node.get("_facts_", {})
    return {}
