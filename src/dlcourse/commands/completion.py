"""Print the shell code that switches on completion with Tab in bash.

    eval "$(dlcourse completion)"

Put this line into ~/.bashrc to have it in every shell. Commands, groups, choices and the options of
the chosen choices are completed: ``dlcourse train model=le<Tab>``, ``model.act<Tab>``. After
``--config-dir my_configs`` they include your own.
"""

import os
import re
from collections.abc import Iterable
from importlib import import_module
from itertools import pairwise
from pathlib import Path

from omegaconf import OmegaConf

from dlcourse.baseline.arguments import METHOD_OPTIONS, OF_RUNS
from dlcourse.commands import find_lr
from dlcourse.commands.main import COMMANDS
from dlcourse.export.formats import EXPORT_FORMATS
from dlcourse.export.request import EXPORT_DEFAULTS
from dlcourse.lecture.syllabus import TOPICS
from dlcourse.preview.kinds import KINDS
from dlcourse.schema import catalogue
from dlcourse.schema.catalogue import CONFIGS

BASH = """\
_dlcourse() {
  local IFS=$'\\n'
  COMPREPLY=($(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" "$1" completion words 2>/dev/null))
  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=.] ]]; then compopt -o nospace; fi
}
complete -o default -F _dlcourse dlcourse"""
OPTIONS = {
    "evaluate": ("run=", "data.root=", "trust="),
    "predict": ("run=", "images=", "table=", "csv=", "trust="),
    "export": ("run=", "format=", "to=", *(f"{key}=" for key in EXPORT_DEFAULTS)),
    "collect": ("csv=", "markdown=", "latex=", "plots="),
    "report": ("run=", "html=", "markdown="),
    "runs": ("sort=", "last=", "csv=", "model=", "tag=", "state=", "since="),
    "note": ("note=", "tags="),
    "share": ("run=", "to=", "predictions=", "labels="),
    "compare": ("folder=", "data.root=", "trust="),
    "lecture": (*TOPICS, "all", "size="),
    "check-gradient": ("function=", "shapes=", "seed=", "wrong="),
}
"""The options of commands that do not take those of a run."""
OF_A_RUN = ("train", "rerun", "sweep", "show", "find-lr", "shapes", "doctor", "baseline")
OF_A_SWEEP = ("seeds=", "workers=", "on_error=", "job_timeout=", "check=")
FLAGS = ("--help", "--config-dir", "--cfg", "--version")
CONFIG_DIR_FLAGS = ("--config-dir", "-cd")


def main(args: list[str]) -> None:
    """Print the shell code; for the argument ``words``, the candidates for ``COMP_LINE``."""
    if args != ["words"]:
        print(BASH)
        return
    line = os.environ.get("COMP_LINE", "")
    point = int(os.environ.get("COMP_POINT", len(line)))
    for candidate in candidates(line[:point]):
        print(candidate)


def candidates(line: str) -> list[str]:
    """Return the texts with which bash can replace the last word of a command line.

    bash splits words at ``=``: outside quotes, it replaces only the part after the last ``=``.
    """
    *before, word = re.split(r"\s+", line)
    quoted = word[:1] in ("'", '"')
    found = [text for text in proposals(before[1:], word.strip("'\"")) if text]
    if quoted:
        return found
    start = word.rpartition("=")[0]
    return [text.removeprefix(f"{start}=") if start else text for text in found]


def proposals(before: list[str], word: str) -> list[str]:
    """Return the arguments that start with ``word``.

    before: the arguments between ``dlcourse`` and ``word``.
    """
    if not before:
        return starting(word, [*COMMANDS, "--help", "--version"])
    command = before[0]
    if before[-1] in CONFIG_DIR_FLAGS:
        return []  # bash offers files and folders
    if command == "catalogue":
        group, equals, _ = word.partition("=")
        named = [f"{group}={name}" for name in names_of_choices(group, before)]
        return starting(word, named if equals else catalogue.ORDER)
    if command == "export" and word.startswith("format="):
        return starting(word, [f"format={name}" for name in EXPORT_FORMATS])
    if command not in OF_A_RUN:
        return starting(word, OPTIONS.get(command, ()))
    key, equals, value = word.partition("=")
    if command == "show" and key == "what" and equals:
        return starting(word, [f"what={name}" for name in KINDS])
    if not equals:
        own = own_keys(command, before)
        if command == "baseline":
            known = (text for text in keys(word, before) if re.split("[.=]", text)[0] in OF_RUNS)
            return starting(word, [*own, *known, "--help", "--config-dir"])
        more = OF_A_SWEEP if command == "sweep" else ("resume=",)
        return starting(word, [*own, *keys(word, before), *more, *FLAGS])
    opened = re.match(r"(.*[\[,])?", value)
    head = opened[0] if opened else ""
    return starting(word, [f"{key}={head}{text}" for text in values_offered(key, before)])


def own_keys(command: str, before: list[str]) -> list[str]:
    """Return the options of ``find-lr``, ``baseline`` or a part of ``show`` that no run has."""
    if command == "baseline":
        return ["method=", *(f"{key}=" for key in METHOD_OPTIONS)]
    if command == "find-lr":
        return [f"{key}=" for key in find_lr.OPTIONS]
    if command != "show":
        return []
    typed = [text.removeprefix("what=") for text in before if text.startswith("what=")]
    what = typed[-1] if typed and typed[-1] in KINDS else "data"
    return ["what=", *(f"{key}=" for key in import_module(f"dlcourse.preview.{what}").OPTIONS)]


def starting(word: str, known: Iterable[str]) -> list[str]:
    """Return the known arguments that start with ``word``, each once."""
    return [text for text in dict.fromkeys(known) if text.startswith(word)]


def keys(word: str, before: list[str]) -> list[str]:
    """Return groups and top-level options; after ``model.``, the options of the chosen model."""
    group, dot, _ = word.partition(".")
    if dot:
        return [f"{group}.{key}=" for key in options(group, before)]
    groups = [text for name in catalogue.ORDER for text in (f"{name}=", f"{name}.")]
    top = [f"{key}=" for key, value in settings().items() if not isinstance(value, dict)]
    return [*groups, *top]


def values_offered(key: str, before: list[str]) -> list[str]:
    """Return the choices of a group, the named values of a model's option, or a default value."""
    group, dot, option = key.partition(".")
    if not dot:
        default = settings().get(key)
        return list(names_of_choices(key, before)) or (
            [] if default is None else [catalogue.typed_value(default)]
        )
    if option in catalogue.NAMED_VALUES:
        return list(catalogue.NAMED_VALUES[option])
    default = options(group, before).get(option)
    return ["true", "false"] if isinstance(default, bool) else [catalogue.typed_value(default)]


def settings() -> dict[str, object]:
    """Return the options of ``train.yaml`` with their defaults."""
    content = OmegaConf.to_container(OmegaConf.load(CONFIGS / "train.yaml"))
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items() if key != "defaults"}


def names_of_choices(group: str, before: list[str]) -> Iterable[str]:
    """Return the names of a group's choices, those in ``--config-dir`` included."""
    folders = config_folders(before)
    known = group in catalogue.ORDER
    return catalogue.files_of(group, folders, lectures=True) if known else ()


def config_folders(before: list[str]) -> list[Path]:
    """Return dlcourse's folder of configs and, if ``--config-dir`` is typed, the user's own."""
    found = [CONFIGS]
    for flag, following in pairwise([*before, ""]):
        name, equals, value = flag.partition("=")
        if name in CONFIG_DIR_FLAGS:
            folder = value if equals else following
            found[1:] = [Path(folder.strip("'\"")).expanduser()]
    return found


def options(group: str, before: list[str]) -> dict[str, object]:
    """Return the options of a group's typed choices, or of its default ones, with their defaults.

    before: the arguments that were typed before.
    """
    typed = [word.strip("'\"").partition("=")[2] for word in before if f"{group}=" in word]
    names: list[str] = (
        re.findall(r"\w+", typed[-1]) if typed else catalogue.defaults(CONFIGS).get(group, [])
    )
    common = settings().get(group)
    found: dict[str, object] = dict(common) if isinstance(common, dict) else {}
    files = catalogue.files_of(group, config_folders(before))
    for path in (files[name] for name in names if name in files):
        found |= catalogue.read_choice(path).options
    return found
