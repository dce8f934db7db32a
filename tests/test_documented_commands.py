"""Every command in README and docs is right: its config passes all checks; nothing is trained."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from conftest import CONFIGS, ROOT, composed

from dlcourse.baseline.arguments import read_baseline
from dlcourse.commands import find_lr
from dlcourse.commands.runs import folders_and_conditions
from dlcourse.commands.show import kind_in
from dlcourse.errors import UserError
from dlcourse.look.registry import WHATS, chosen_whats
from dlcourse.look.request import COMMON
from dlcourse.race.arguments import read_race
from dlcourse.report.run_conditions import read_condition
from dlcourse.schema.command_line import parse_command
from dlcourse.schema.compose import compose_job, without_hydra
from dlcourse.schema.validate import check, check_key
from dlcourse.sweep.search_space import Space, read_spaces

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OVERRIDES = {"train", "sweep", "show", "find-lr", "shapes", "doctor"}
"""Subcommands that take the options of a run."""
OTHERS = {
    "lecture", "look", "evaluate", "predict", "collect", "compare", "report", "check-gradient",
    "catalogue", "export", "runs", "rerun", "note", "new", "share",
}  # fmt: skip
TAKES_OPTIONS = {
    "evaluate": ("data=", "data."),
    "rerun": ("seed=", "max_epochs=", "optim", "note="),
}
"""Subcommands that take some options of a run after its folder."""
NOT_CHECKED = (
    "resume=",
    "hydra/launcher=",
    "hydra.launcher.",
    "+hydra.launcher.",
    "seeds=",
    "check=",
)
"""Options that need the folder of a run or a plugin, or that change no job."""
FILLED = "my_images"


FILE = re.compile(r"^```(?:yaml|python)\n# (\S+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
"""A file on a page: its name in the first line."""


class Documented(NamedTuple):
    """A command on a page. message: the error that the page shows for it; empty for none."""

    page: str
    text: str
    message: str


def commands(page: Path) -> Iterator[Documented]:
    """Yield the commands of a page: in its code blocks without a language and in inline code."""
    text = page.read_text(encoding="utf-8")
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        if language:
            continue
        lines = block.replace("\\\n", " ").splitlines()
        for number, line in enumerate(lines):
            message = ""
            after = lines[number + 1] if number + 1 < len(lines) else ""
            if line.startswith("$ ") and after.startswith("dlcourse: "):
                message = after.removeprefix("dlcourse: ")
            if re.match(r"(\$ )?(dlcourse|python|make|pip) \S", line):
                typed = " ".join(line.removeprefix("$ ").split())
                yield Documented(page.name, typed, message)
    outside = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for code in re.findall(r"`((?:dlcourse|python|make|pip) [^`]+)`", outside):
        if "<name>" in code or code.endswith("<Tab>"):
            continue  # a pattern for many commands, or the start of one
        yield Documented(page.name, " ".join(code.split()), "")


ALL = list({c.text.removesuffix(" check=true"): c for p in PAGES for c in commands(p)}.values())
RUNS = [c for c in ALL if c.text.startswith("dlcourse ") and c.text.split()[1] in OVERRIDES]
RACES = [c for c in ALL if c.text.startswith("dlcourse race")]
LOOKS = [c for c in ALL if c.text.startswith("dlcourse look")]
BASELINES = [c for c in ALL if c.text.startswith("dlcourse baseline")]
REST = [c for c in ALL if c not in [*RUNS, *RACES, *LOOKS, *BASELINES]]


def named(command: Documented) -> str:
    return f"{command.page}: {command.text}"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Change into a new folder that holds the files which the pages mention; return it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("my_images", "my_tables"):
        (tmp_path / name).mkdir()
    (tmp_path / "my_mnist/checkpoints").mkdir(parents=True)
    (tmp_path / "my_mnist/checkpoints/best.pt").touch()
    (tmp_path / "weights.pth").write_bytes(b"not read")
    for name, content in files_of_pages():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


@cache
def files_of_pages() -> list[tuple[str, str]]:
    """Return the name and the content of each file that a page shows."""
    return [found for page in PAGES for found in FILE.findall(page.read_text(encoding="utf-8"))]


def filled(text: str) -> list[str]:
    """Return a command's arguments; FILLED replaces each ``<...>`` that the reader fills in.

    Weights are taken from a folder that has some.
    """
    text = re.sub(r"init\.run=<[^>]*>", "init.run=my_mnist", text)
    return [part for part in shlex.split(re.sub(r"<[^>]*>", FILLED, text)) if part != "…"]


def checkable(text: str) -> list[str]:
    """Return the arguments of a command that can be checked here, as options of runs."""
    parts = filled(text)[2:]
    if text.split()[1] == "show":
        what, parts = kind_in(parts)
        own = import_module(f"dlcourse.preview.{what or 'data'}").OPTIONS
        parts = [part for part in parts if part.partition("=")[0] not in own]
    if text.split()[1] == "find-lr":
        parts = [part for part in parts if part.partition("=")[0] not in find_lr.OPTIONS]
    return [part for part in parts if not part.startswith(NOT_CHECKED) and part != FILLED]


def examine(text: str) -> None:
    """Check the runs that a command would start; raises UserError."""
    sweep = text.split()[1] in ("sweep", "show")
    args, _ = parse_command([*(["-m"] if sweep else []), *checkable(text)])
    if args.help or args.hydra_help:
        return
    if args.multirun:
        examine_sweep(*read_spaces(args.overrides, args.config_dir), args.config_dir)
    else:
        check(without_hydra(compose_job(args.overrides, args.config_dir)))


def examine_sweep(fixed: list[str], spaces: list[Space], config_dir: str | None) -> None:
    """Check the job of the first values, and each other value alone; raises UserError.

    That is ten times faster than checking every job.
    """
    values = {space.key: space.values or (space.at(0), space.at(1)) for space in spaces}
    first = [f"{key}={some[0]}" for key, some in values.items()]
    check(without_hydra(compose_job([*fixed, *first], config_dir)))
    for key, some in values.items():
        for value in some[1:]:
            if (CONFIGS / key).is_dir():
                assert (CONFIGS / key / f"{value}.yaml").exists()
            else:
                check_key(key, value_of(value.replace("\\:", ":")))


def value_of(text: str) -> object:
    """Return a typed value as Hydra reads it: to YAML, ``1e-06`` without a point is a text."""
    value = yaml.safe_load(text)
    number = re.fullmatch(r"[+-]?\d+e[+-]?\d+", text)
    return float(text) if number else value


@pytest.mark.parametrize("command", RACES, ids=named)
def test_a_documented_race_passes_the_checks_of_its_options(command, folder):
    read_race(filled(command.text)[2:], None)


@pytest.mark.parametrize("command", BASELINES, ids=named)
def test_a_documented_baseline_passes_the_checks_of_its_options(command):
    read_baseline(filled(command.text)[2:], None)


@pytest.mark.parametrize("command", LOOKS, ids=named)
def test_a_documented_look_has_the_options_of_what_it_draws(command):
    typed = dict(part.split("=", 1) for part in filled(command.text)[2:] if "=" in part)
    names = chosen_whats(typed.pop("what")) if "what" in typed else []
    known = {"run", *COMMON, *(option for name in names for option in WHATS[name].options)}
    assert set(typed) <= known


@pytest.mark.parametrize("command", RUNS, ids=named)
def test_a_documented_run_passes_the_checks_of_its_config(command, folder):
    if not command.message:
        examine(command.text)
        return
    with pytest.raises(UserError) as raised:
        examine(command.text)
    assert str(raised.value).split("; did")[0] == command.message.split("; did")[0]


@pytest.mark.parametrize("command", REST, ids=named)
def test_every_other_documented_command_exists(command):
    program, first, *rest = filled(command.text)
    if program == "dlcourse":
        assert first in OTHERS
        file = ROOT / "scripts" / f"{first.replace('-', '_')}.py"
        known = file.read_text(encoding="utf-8")
        module = ROOT / "src/dlcourse/commands" / file.name
        known += module.read_text(encoding="utf-8") if module.exists() else ""
        if first == "runs":
            typed = [part for part in rest if not part.startswith("outputs/")]
            for text in folders_and_conditions(typed)[1]:
                read_condition(text)  # raises for a wrong one
            return
        if first in TAKES_OPTIONS:
            typed = [part for part in rest if part.startswith(TAKES_OPTIONS[first])]
            composed(*typed)
            rest = [part for part in rest if part not in typed]
        assert all(f"{part.partition('=')[0]}=" in known for part in rest if "=" in part)
    elif program == "make":
        assert re.search(rf"^{first}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif program == "python" and first.endswith(".py"):
        assert (ROOT / first).exists()
    else:
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        for extra in re.findall(r"(?:dlcourse|\.)\[(\w+)\]", command.text):
            assert extra in extras["optional-dependencies"]


def test_the_links_of_the_readme_point_to_files():
    links = re.findall(r"\]\(([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 10
    assert all((ROOT / link).exists() for link in links if "://" not in link)


def test_the_readme_names_every_choice_of_the_groups_that_it_lists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for group in ("data", "optim", "schedule", "loss", "augment", "split", "metric", "sweep"):
        names = {path.stem for path in (CONFIGS / group).glob("[!_]*.yaml")} - {"none"}
        names -= {"in_memory"}  # of the estimators, and not typed
        assert not [name for name in names if f"`{name}`" not in text]
