"""Replace names of other programs that have one meaning here: ``epochs=5``, ``--lr 0.1``."""

import re
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import yaml

from dlcourse.errors import UserError, bare
from dlcourse.schema.arguments import corrected
from dlcourse.schema.overrides import key_of
from dlcourse.schema.packaged import CONFIGS, choice_files
from dlcourse.schema.synonyms import EXACT_KEYS, EXACT_OPTIONS, OPTION_SYNONYMS
from dlcourse.schema.untrusted import read_text, yaml_of
from dlcourse.schema.validate import GROUPS, SWEEP_KEYS, TOP_LEVEL

KNOWN = (*GROUPS, *TOP_LEVEL, *SWEEP_KEYS)
TRAINER = "trainer"  # PyTorch Lightning's prefix of the keys of a run
CHOICE_NAMES = re.compile(r"\[?[\w.,\s-]*\]?")  # one name or several, perhaps as a list


def with_real_names(overrides: Sequence[str], config_dir: str | None) -> list[str]:
    """Return overrides with dlcourse's own names; print one note for each that is replaced.

    Only names with exactly one meaning are replaced (``EXACT_KEYS``, ``EXACT_OPTIONS``, and the
    same letters in another case). A key or a group of the user's own configs keeps its name.

    Raises UserError if two names of one key have different values.
    """
    pairs = [
        (typed, real_override(one, config_dir)) for typed, one in as_pairs(overrides, config_dir)
    ]
    for typed, real in pairs:
        others = [one for one, text in pairs if key_of(text) == key_of(real) and text != real]
        if typed != real and others:
            raise UserError(
                f"{typed} is {real} here, and {others[0]} is typed as well.\nType one of them"
            )
    for typed, real in pairs:
        if typed != real:
            print(f"{typed} is {real} here", file=sys.stderr)
    return [real for _, real in pairs]


def as_pairs(overrides: Sequence[str], config_dir: str | None) -> Iterator[tuple[str, str]]:
    """Yield ``("--lr 0.1", "lr=0.1")`` for a flag that is a key, or an exact synonym of one.

    Any other argument is yielded twice.
    """
    rest = list(overrides)
    while rest:
        arg = rest.pop(0)
        one, *more = corrected([arg, *rest[:1]], ()) if re.match(r"--[A-Za-z]", arg) else [arg]
        name = real_key(key_of(one), config_dir)
        if one == arg or not (name in KNOWN or is_group_option(name)):
            yield arg, arg
            continue
        value = [rest.pop(0)] if rest and not more else []
        yield " ".join([arg, *value]), one


def is_group_option(key: str) -> bool:
    """Return whether a key is one of a group's options, ``optim.lr``."""
    group, dot, _ = key.partition(".")
    return bool(dot) and group in GROUPS


def real_override(typed: str, config_dir: str | None) -> str:
    """Return an override with dlcourse's names of its key and of a group's options."""
    key, equals, value = typed.partition("=")
    if not equals or not re.fullmatch(r"\w[\w.-]*", key):
        return typed
    name = real_key(key, config_dir)
    if name in GROUPS and CHOICE_NAMES.fullmatch(value):
        value = re.sub(r"[\w.-]+", partial(real_option, name, config_dir), value)
    return f"{name}={value}"


def real_key(key: str, config_dir: str | None) -> str:
    """Return dlcourse's name of a key that has exactly one meaning; any other key unchanged."""
    first, dot, rest = key.partition(".")
    if key in KNOWN or first in (*GROUPS, "hydra", "sweep") or first in own_names(config_dir):
        return key
    if not dot:
        same = [name for name in KNOWN if bare(name) == bare(key)]
        return same[0] if same else EXACT_KEYS.get(bare(key), key)
    if bare(first) == TRAINER:
        inner = real_key(rest, config_dir)
        return inner if inner in KNOWN or is_group_option(inner) else key
    group = EXACT_KEYS.get(bare(first))
    if group not in GROUPS:
        return key
    inner = EXACT_KEYS.get(bare(rest), "")
    return inner if inner.startswith(f"{group}.") else f"{group}.{rest}"


def real_option(group: str, config_dir: str | None, found: re.Match[str]) -> str:
    """Return dlcourse's name of a group's option that has exactly one meaning."""
    name = found[0]
    folders = [CONFIGS, *([Path(config_dir)] if config_dir else [])]
    known = [option for folder in folders for option in choice_files(folder / group)]
    same = [option for option in dict.fromkeys(known) if bare(option) == bare(name)]
    if name in known or len(same) > 1:
        return name
    exact = OPTION_SYNONYMS.get(group, {}).get(bare(name), name)
    return same[0] if same else exact if bare(name) in EXACT_OPTIONS.get(group, ()) else name


def own_names(config_dir: str | None) -> set[str]:
    """Return the groups and the top-level keys that the user's own configs bring."""
    if config_dir is None or not Path(config_dir).is_dir():
        return set()
    found = {path.name for path in Path(config_dir).iterdir() if path.is_dir()}
    for path in Path(config_dir).rglob("*.yaml"):
        try:
            text = read_text(path)
            content = yaml_of(text, yaml.safe_load) if "@package _global_" in text else None
        except (OSError, ValueError, yaml.YAMLError):
            continue  # composing the config says what is wrong with it
        found |= set(map(str, content)) if isinstance(content, dict) else set()
    return found
