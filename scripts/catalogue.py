"""Write docs/catalogue.md: every choice and its options, read from the configs.

python scripts/catalogue.py            writes it
python scripts/catalogue.py --check    only checks whether it is up to date; exit status 1 if not
"""

import clone  # noqa: F401  (finds src/)

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from omegaconf import OmegaConf

from dlcourse.errors import UserError
from dlcourse.schema import catalogue
from dlcourse.schema.compose import CONFIGS
from dlcourse.schema.facts import fact_rows
from dlcourse.schema.overrides import leaves
from dlcourse.schema.validate import MULTIPLE
from dlcourse.terminal.command import one_message

USAGE = (__doc__ or "").strip()
CATALOGUE = Path(__file__).parents[1] / "docs/catalogue.md"
HEAD = """\
# Catalogue

Every choice and every option, with its default value. `model=resnet18` on the command line chooses
`configs/model/resnet18.yaml`; its options are typed as `model.<option>=<value>`. A value in `<...>`
is that of another option or of an environment variable. A **bold** name is the default of its
group. This page is written from the configs by `python scripts/catalogue.py`.
"""

FACTS = """\
## Facts

The facts that a choice's YAML can declare under `_facts_`, next to `_target_`; see
[your own code](own_code.md#facts-and-bounds). In a group in `code` type, every choice of dlcourse
has to declare the fact.

| fact | groups | values | meaning |
|---|---|---|---|
"""


def main() -> None:
    """Write the page, or check that it is up to date."""
    typed = sys.argv[1:]
    if {"-h", "--help"} & set(typed):
        print(USAGE)
        return
    if typed not in ([], ["--check"]):
        raise UserError(f"{' '.join(typed)} is not understood.\n{USAGE}")
    text = page(CONFIGS)
    if not typed:
        CATALOGUE.write_text(text, encoding="utf-8")
        print(f"{CATALOGUE} is written")
    elif not CATALOGUE.exists() or CATALOGUE.read_text(encoding="utf-8") != text:
        print(
            "docs/catalogue.md is out of date.\nType python scripts/catalogue.py",
            file=sys.stderr,
        )
        sys.exit(1)


def page(configs: Path) -> str:
    """Return the page as Markdown."""
    settings = OmegaConf.to_container(OmegaConf.load(configs / "train.yaml"))
    assert isinstance(settings, dict)
    chosen = catalogue.defaults(configs)
    parts = [HEAD]
    for group in catalogue.ORDER:
        choices = [
            catalogue.read_choice(path) for path in catalogue.files_of(group, [configs]).values()
        ]
        if choices:
            parts.append(section(group, choices, chosen.get(group, []), settings.get(group) or {}))
    parts.append(f"## The run\n\n{in_code(run_keys(settings))}\n")
    parts.append("## Activations, norms and poolings\n")
    parts += [
        f"`model.{key}=`: {in_code(words)}\n" for key, words in catalogue.NAMED_VALUES.items()
    ]
    parts.append(FACTS + "\n".join(f"| {' | '.join(map(escaped, row))} |" for row in fact_rows()))
    return "\n".join([*parts, ""])


def section(group: str, choices: list[catalogue.Choice], chosen: list[str], common: dict) -> str:
    """Return a group's heading, contract, common options and table."""
    lines = [f"## {group}", "", catalogue.contract(group), ""]
    if group in MULTIPLE:
        two = ",".join([choice.name for choice in choices if choice.name != "none"][:2])
        lines += [f"None, one or several: `'{group}=[{two}]'`.", ""]
    if common:
        options = [
            f"{group}.{key}={catalogue.typed_value(value)}"
            for key, value in leaves(common, private=False)
        ]
        lines += [f"All of them take {in_code(options)}.", ""]
    last = "choices" if group == "experiment" else "options and their defaults"
    lines += [f"| name | what | from | {last} |", "|---|---|---|---|"]
    for choice in choices:
        name = f"**`{choice.name}`**" if choice.name in chosen else f"`{choice.name}`"
        options = in_code(
            [f"{key}={catalogue.typed_value(v)}" for key, v in choice.options.items()]
        )
        sets = choice.sets if group != "experiment" else chosen_groups(choice.sets)
        also = f"sets {in_code(sets)}" if sets else ""
        cells = (name, choice.what, choice.paper, "; ".join(filter(None, (options, also))))
        lines.append(f"| {' | '.join(map(escaped, cells))} |")
    return "\n".join([*lines, ""])


def chosen_groups(sets: list[str]) -> list[str]:
    """Return the choices among a preset's settings; its options would take too much room."""
    return [text for text in sets if text.partition("=")[0] in catalogue.ORDER]


def run_keys(settings: Mapping) -> list[str]:
    """Return the keys that belong to no group, with their defaults."""
    return [
        f"{key}={catalogue.typed_value(value)}"
        for key, value in settings.items()
        if not isinstance(value, dict) and key != "defaults"
    ]


def in_code(words: list[str] | tuple[str, ...]) -> str:
    """Return texts as Markdown code, separated by commas."""
    return ", ".join(f"`{word}`" for word in words)


def escaped(cell: str) -> str:
    """Escape the characters of a table's cell that Markdown would interpret."""
    cell = cell.replace("|", "\\|")
    return cell if "`" in cell else re.sub(r"([*<])", r"\\\1", cell)


if __name__ == "__main__":
    with one_message():
        main()
