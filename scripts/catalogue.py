"""Write docs/catalogue.md: every word there is to choose from, read from the configs.

python scripts/catalogue.py            writes it
python scripts/catalogue.py --check    only tells whether it is up to date; exit status 1 if not
"""

import clone  # noqa: F401  (finds src/)

import re
import sys
from pathlib import Path

from omegaconf import OmegaConf

from dlcourse import zoo
from dlcourse.check import MULTIPLE
from dlcourse.command import one_message
from dlcourse.compose import CONFIGS
from dlcourse.error import UserError

CATALOGUE = Path(__file__).parents[1] / "docs/catalogue.md"
HEAD = """\
# The catalogue

Every word that can be typed, from the configs themselves: `python scripts/catalogue.py` writes this
page. `model=resnet18` on the command line is `configs/model/resnet18.yaml`, and its options are
`model.<option>=<value>`. What stands in `<...>` follows another key, or an
environment variable. A **bold** name is chosen
where nothing is typed.
"""


def main() -> None:
    """Write the page, or compare it with what would be written."""
    words = sys.argv[1:]
    if {"-h", "--help"} & set(words):
        print(__doc__.strip())
        return
    if words not in ([], ["--check"]):
        raise UserError(f"{' '.join(words)} is not understood.\n{__doc__.strip()}")
    text = catalogue(CONFIGS)
    if not words:
        CATALOGUE.write_text(text, encoding="utf-8")
        print(f"{CATALOGUE} is written")
    elif not CATALOGUE.exists() or CATALOGUE.read_text(encoding="utf-8") != text:
        print(
            "docs/catalogue.md is not what the configs say.\nType python scripts/catalogue.py",
            file=sys.stderr,
        )
        sys.exit(1)


def catalogue(configs: Path) -> str:
    """Return the page as Markdown."""
    settings = OmegaConf.to_container(OmegaConf.load(configs / "train.yaml"))
    chosen = zoo.defaults(configs)
    parts = [HEAD]
    for group in zoo.ORDER:
        choices = [zoo.read_choice(path) for path in zoo.files_of(group, [configs]).values()]
        if choices:
            parts.append(section(group, choices, chosen.get(group, []), settings.get(group) or {}))
    parts.append(f"## The run\n\n{in_code(run_keys(settings))}\n")
    parts.append("## Words for keys of models\n")
    parts += [f"`model.{key}=`: {in_code(words)}\n" for key, words in zoo.WORDS.items()]
    return "\n".join(parts)


def section(group: str, choices: list[zoo.Choice], chosen: list[str], common: dict) -> str:
    """Return a group's heading, contract, common options and table."""
    lines = [f"## {group}", "", zoo.contract(group), ""]
    if group in MULTIPLE:
        two = ",".join([choice.name for choice in choices if choice.name != "none"][:2])
        lines += [f"None, one or several: `'{group}=[{two}]'`.", ""]
    if common:
        options = [f"{group}.{key}={zoo.shown(value)}" for key, value in zoo.leaves(common)]
        lines += [f"Every one of them takes {in_code(options)}.", ""]
    lines += ["| word | what | from | options and their defaults |", "|---|---|---|---|"]
    for choice in choices:
        name = f"**`{choice.name}`**" if choice.name in chosen else f"`{choice.name}`"
        options = in_code([f"{key}={zoo.shown(v)}" for key, v in choice.options.items()])
        also = f"sets {in_code(choice.sets)}" if choice.sets else ""
        cells = (name, choice.what, choice.paper, "; ".join(filter(None, (options, also))))
        lines.append(f"| {' | '.join(map(escaped, cells))} |")
    return "\n".join([*lines, ""])


def run_keys(settings: dict) -> list[str]:
    """Return the keys that belong to no group, with their defaults."""
    return [
        f"{key}={zoo.shown(value)}"
        for key, value in settings.items()
        if not isinstance(value, dict) and key != "defaults"
    ]


def in_code(words: list[str] | tuple[str, ...]) -> str:
    """Return words as Markdown code, with commas between them."""
    return ", ".join(f"`{word}`" for word in words)


def escaped(cell: str) -> str:
    """Return a table's cell in which bars and stars mean themselves."""
    cell = cell.replace("|", "\\|")
    return cell if "`" in cell else re.sub(r"([*<])", r"\\\1", cell)


if __name__ == "__main__":
    with one_message():
        main()
