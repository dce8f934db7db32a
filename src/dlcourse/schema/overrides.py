"""Overrides as text, checks of the overrides stored in a folder, and the keys of a config."""

import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError

OVERRIDE = re.compile(r"[+~]{0,2}[a-zA-Z][\w./:@-]*(=|$)")
KEPT_OF_HYDRA = ("hydra.sweep.dir=", "hydra/launcher=")
NEVER_STORED = ("hydra.launcher", "sweep.storage")
"""Options that must be typed again to resume a sweep.

They can run shell commands, or write to any file or address.
"""

MOST_OVERRIDES = 1000  # of one command
LONGEST_OVERRIDE = 20_000  # characters
MOST_ITEMS = 4000  # commas, as between the values of a list
DEEPEST_OVERRIDE = 32  # brackets inside each other

LABELS = ("note", "tags")
"""Keys that only describe a run: they can be changed at any time."""

FREE = (
    "resume", "trust", "observe", "checkpoint_every", "engine", "data.root", "data.download",
    "runtime.devices", *LABELS,
)  # fmt: skip
"""Keys that may differ when a run is resumed, because they do not change its result.

``runtime.devices`` and ``engine`` change the order in which numbers are added, and so the last
bits.
"""

FROM_ENVIRONMENT = "_from_environment_"
"""The key of a config that keeps references to environment variables; see ``from_environment``."""

DECLARATIONS = frozenset(("_facts_", "_bounds_", FROM_ENVIRONMENT))
"""Keys that only checks and the record of a run read, and that are never passed to the code."""

REFERENCE = re.compile(r"\$\{(oc\.env:\s*[A-Za-z_]\w*(,[^${}]*)?|[a-zA-Z][\w.]*)\}")
"""What an override of a folder may refer to: an environment variable, or another key."""

END_KEYS = ("max_epochs", "max_time", "stop")
"""Keys that decide only when a run ends: it can be resumed with other values."""


def key_of(override: str) -> str:
    """Return the key of an override: ``optim.lr`` of ``+optim.lr=0.1``."""
    return override.split("=")[0].lstrip("+~")


def quoted(text: str) -> str:
    """Quote a text so that Hydra's grammar reads it as one value, whatever it contains."""
    # in this grammar a backslash stands for itself, except in front of a quote
    doubled = re.sub(r"\\+(?='|$)", lambda found: 2 * found[0], text)
    escaped = doubled.replace("'", "\\'").replace("${", "\\${")
    return f"'{escaped}'"


def check_overrides(overrides: object, path: Path) -> list[str]:
    """Return the overrides that a file holds; raises UserError for anything else.

    Flags are refused, because the command line would obey them. Overrides of Hydra's keys are
    refused too, except the two kinds that a sweep's folder stores: its own path and its launcher.
    """
    if not isinstance(overrides, list) or not all(isinstance(one, str) for one in overrides):
        raise UserError(f"{path} does not hold a list of overrides, key=value each")
    try:
        refuse_large(overrides)
    except UserError as error:
        raise UserError(f"{path} is not read: {error}") from error
    for override in overrides:
        key = key_of(override)
        of_hydra = re.search(r"(^|[@:])hydra\b", key)
        kept = override.startswith(KEPT_OF_HYDRA) or must_be_typed(key)
        strange = "${" in REFERENCE.sub("", override.replace("\\${", ""))
        if not OVERRIDE.match(override) or strange or (of_hydra and not kept):
            raise UserError(
                f"{path} holds {override!r}, which is not an override that dlcourse stores.\n"
                "The file has been changed since, or comes from another program"
            )
    return overrides


def refuse_large(overrides: Sequence[str]) -> None:
    """Raise UserError for overrides that Hydra's parser would take very long to read.

    Its time grows with the square of the number of values: 2 s for 4,000, 25 s for 10,000.
    """
    if len(overrides) > MOST_OVERRIDES:
        raise UserError(
            f"There are {len(overrides):,} overrides, and at most {MOST_OVERRIDES:,} are allowed.\n"
            "Write them into a YAML file of your own, and type --config-dir <its folder>"
        )
    for override in overrides:
        if len(override) > LONGEST_OVERRIDE or override.count(",") > MOST_ITEMS:
            problem = f"more than {LONGEST_OVERRIDE:,} characters or {MOST_ITEMS:,} values"
        elif nesting(override) > DEEPEST_OVERRIDE:
            problem = f"more than {DEEPEST_OVERRIDE} brackets inside each other"
        else:
            continue
        raise UserError(
            f"{override[:60]}... has {problem}.\n"
            "Write it into a YAML file of your own, and type --config-dir <its folder>; for a "
            "sweep, type fewer values"
        )


def nesting(text: str) -> int:
    """Return the number of opening brackets of a text that are not closed, where it is largest."""
    steps = (1 if sign in "[{(" else -1 for sign in re.findall(r"[\[\]{}()]", text))
    return max(accumulate(steps), default=0)


def must_be_typed(key: str) -> bool:
    """Return whether an option is never taken from a folder and has to be typed each time."""
    return any(key == name or key.startswith(f"{name}.") for name in NEVER_STORED)


def not_typed(overrides: Sequence[str], typed: Sequence[str]) -> list[str]:
    """Return the stored overrides that have to be typed again and are not among those typed."""
    keys = {key_of(override) for override in typed}
    return [one for one in overrides if must_be_typed(key_of(one)) and key_of(one) not in keys]


def is_free(key: str) -> bool:
    """Return whether a key may differ when a run is resumed: a free one, a fact or bounds."""
    return is_among(key, FREE) or not DECLARATIONS.isdisjoint(key.split("."))


def is_among(key: str, keys: tuple[str, ...]) -> bool:
    """Return whether a key, or one above it, is among some keys."""
    return any(key == one or key.startswith(f"{one}.") for one in keys)


def is_private(key: str) -> bool:
    """Return whether a dotted key is one that nobody types, such as ``optim._target_``."""
    return any(part.startswith("_") for part in key.split("."))


def leaves(config: Any, path: str = "", *, private: bool = True) -> Iterator[tuple[str, Any]]:
    """Yield every ``("optim.lr", 0.1)`` of a nested config; lists and empty dicts are values.

    private: include the keys that nobody types, such as ``optim._target_``.
    """
    if isinstance(config, dict) and (config or not path):
        for key, value in config.items():
            if private or not str(key).startswith("_"):
                yield from leaves(value, f"{path}.{key}" if path else str(key), private=private)
    else:
        yield path, config


def nodes(config: Any, path: str = "") -> Iterator[tuple[str, dict]]:
    """Yield every dict of a nested config with its dotted key, those in lists included."""
    if isinstance(config, dict):
        yield path, config
        for key, value in config.items():
            yield from nodes(value, f"{path}.{key}" if path else str(key))
    elif isinstance(config, list | tuple):
        for value in config:
            yield from nodes(value, path)


def all_keys(config: dict) -> set[str]:
    """Return every dotted key of a nested config: ``optim`` as well as ``optim.lr``."""
    parts = (key.split(".") for key, _ in leaves(config))
    return {".".join(part[:end]) for part in parts for end in range(1, len(part) + 1)}
