"""List every group and its choices, read from the configs and their headers; imports no torch."""

import ast
import re
import textwrap
from pathlib import Path
from typing import Any, NamedTuple, cast

from omegaconf import OmegaConf

from dlcourse.schema.bounds import ACTIVATION, NORM_NAMES, POOL_NAMES
from dlcourse.schema.hydra_source import refuse_large_file
from dlcourse.schema.overrides import leaves
from dlcourse.schema.packaged import CONFIGS as CONFIGS
from dlcourse.schema.packaged import PACKAGE_FOLDER, choice_files
from dlcourse.schema.validate import GROUPS, MULTIPLE

HELP = """\
dlcourse trains: every idea of a deep-learning course is one option on the command line.

  dlcourse train model=lenet optim=adam                    one run
  dlcourse sweep model=mlp,lenet optim=sgd,adam            every combination
  dlcourse sweep optim=sgd,adam seeds=5 workers=2          each with five seeds, two jobs at a time
  dlcourse sweep optim=sgd,adam check=true                 only show what would run
  dlcourse train split=stratified_kfold split.folds=5      cross-validation
  dlcourse train resume=<folder>                           resume a run or a sweep
  dlcourse train model=resnet20 --cfg job                  every option of such a run, and its value
  dlcourse train --config-dir my_configs model=my_model    your own choices
  dlcourse train --hydra-help                              Hydra's own options
"""

ORDER = ("data", *(group for group in GROUPS if group != "data"), "sweep", "experiment", "debug")
NAMED_VALUES = {  # for keys of models
    "activation": tuple(map(ACTIVATION.spelled, ACTIVATION.names)),
    "norm": NORM_NAMES,
    "pool": POOL_NAMES,
}
LECTURES = "The experiment of a lecture; `dlcourse lecture` lists the topics."
PRESETS = (
    "Presets: cited experiments that set several groups at once.\n`experiment=lecture/<topic>`: "
    f"{LECTURES}"
)
PRESET_TEXTS = {
    "experiment": PRESETS,
    "debug": (
        "Presets that look for a mistake, together with any model, data and experiment. Their runs "
        "are in `outputs/debug`."
    ),
}
LINE_WIDTH = 110
PAPER = re.compile(r"\s*\(([^()]*\b(?:1[6-9]|20)\d\d\b[^()]*)\)\.?$")  # the last parenthesis


class Choice(NamedTuple):
    """The content of one choice's config file.

    what: the header's description in one line, without the paper. paper: its reference, or empty.
    options: the choice's dotted keys, without the group, and their defaults.
    sets: overrides of other groups that the choice brings along, ``loss=mse``.
    """

    name: str
    what: str
    paper: str
    options: dict[str, object]
    sets: list[str]


def list_groups(folders: list[Path]) -> str:
    """Return a list of every group, with a line for each choice.

    folders: folders of configs. The first contains ``train.yaml``, whose default choices are marked
    with a star. If two folders have a choice with the same name, the later folder's is listed.
    """
    chosen = defaults(folders[0])
    lines = []
    for group in ORDER:
        files = files_of(group, folders)
        if not files:
            continue
        several = "=[<none, one or several>]" if group in MULTIPLE else "=<one of these>"
        lines += ["", f"{group}{several}"]
        column = max(len(name) for name in files) + 1
        for name, path in files.items():
            star = "*" if name in chosen.get(group, ()) else " "
            what = shortened_header(header_line(path), LINE_WIDTH - column - 3)
            lines.append(f"{star} {name:{column}} {what}")
        if group == "experiment":
            lines.append(f"  {'lecture/<topic>':{column}} {LECTURES.replace('`', '')}")
    lines += ["", "model.<key>=<one of these>, for models that have the key"]
    for key, names in NAMED_VALUES.items():
        indent = " " * 13
        lines += textwrap.wrap(", ".join(names), LINE_WIDTH, initial_indent=f"  {key:10} ",
                               subsequent_indent=indent)  # fmt: skip
    return "\n".join([*lines, "", "* marks the defaults."]).strip()


def files_of(group: str, folders: list[Path], *, lectures: bool = False) -> dict[str, Path]:
    """Return a group's config files by name, ``resnet18`` before ``resnet110``.

    lectures: whether those in sub-folders are included, such as ``lecture/perceptron``.
    """
    found = {name: file for top in folders for name, file in choice_files(top / group).items()}
    names = [name for name in found if lectures or "/" not in name]
    return {name: found[name] for name in sorted(names, key=natural_order)}


def natural_order(name: str) -> list[tuple[int, str]]:
    """Return a sort key that compares numbers in names by size and the rest alphabetically."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def header_line(path: Path) -> str:
    """Return the first line of a config's header, its description; empty if there is none."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if "@package" not in line:
            return line.lstrip("# ").rstrip()
    return ""


def shortened_header(text: str, width: int) -> str:
    """Shorten a header to ``width`` characters: remove its paper first, then cut its end."""
    if len(text) > width:
        text = PAPER.sub(".", text)
    return textwrap.shorten(text, width, placeholder=" ...")


def defaults(configs: Path) -> dict[str, list[str]]:
    """Return the names of the default choices of each group, from ``train.yaml``."""
    chosen = {}
    for entry in content_of(configs / "train.yaml")["defaults"]:
        if isinstance(entry, dict):
            for group, names in entry.items():
                if not group.startswith("override "):
                    chosen[group] = names if isinstance(names, list) else [names]
    return chosen


def content_of(path: Path) -> dict[str, Any]:
    """Return a config file as a plain dict; raises UserError for one that exceeds a limit."""
    refuse_large_file(path)
    return cast("dict[str, Any]", OmegaConf.to_container(OmegaConf.load(path)))


def read_choice(path: Path) -> Choice:
    """Read a config file: its header, its options with their defaults, and what else it sets."""
    group = path.parent.name
    text = header_line(path)
    paper = PAPER.search(text)
    content = content_of(path)
    options, sets = {}, []
    for entry in content.pop("defaults", []):
        if isinstance(entry, dict):
            sets += [
                f"{key.removeprefix('override /')}={typed_value(v)}" for key, v in entry.items()
            ]
        elif entry != "_self_":
            base = path.with_name(f"{entry}.yaml")
            if not base.exists():  # a user's own choice that extends one of dlcourse's
                base = CONFIGS / group / base.name
            options |= read_choice(base).options
    own = content if "@package _global_" not in path.read_text() else content.pop(group, {})
    if own is not content:
        sets += [f"{key}={typed_value(value)}" for key, value in leaves(content, private=False)]
    options |= dict(leaves(own, private=False))
    what = PAPER.sub("", text).rstrip(".")
    return Choice(path.stem, what, paper[1] if paper else "", options, sets)


def typed_value(value: object) -> str:
    """Return a value as a user types it; an interpolation becomes its key, ``<optim.lr>``."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{','.join(map(typed_value, value))}]"
    if isinstance(value, str) and value.startswith("${"):
        return re.sub(r"^\$\{(?:oc\.\w+:)?([^,}]*).*$", r"<\1>", value)
    return str(value)


def contract(group: str) -> str:
    """Return the first paragraph of the docstring of a group's package, which is its contract."""
    if group in PRESET_TEXTS:
        return PRESET_TEXTS[group]
    path = PACKAGE_FOLDER / group / "__init__.py"
    source = path if path.exists() else PACKAGE_FOLDER / f"{group}.py"
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(docstring.split("\n\n")[0].split()).replace("``", "`")
