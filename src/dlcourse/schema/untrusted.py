"""Read YAML and JSON that a stranger may have written, within limits.

A YAML file of 2 kB can stand for 10^9 values, because each reference in it can name a list of
references; deep nesting ends Python's stack; arithmetic with very long integers takes minutes. All
limits are checked before anything large is built. They are far above what dlcourse writes: a run's
config has about 150 values and 5,000 characters, and no file is nested more than 8 deep.
"""

import json
import os
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from dlcourse.schema.packaged import LOADER

MOST_YAML = 1_000_000  # bytes, and characters after references are expanded
MOST_YAML_VALUES = 100_000  # 0.1 s to count, 0.3 s to read
MOST_JSON = 64_000_000  # bytes; sweep.json has about 300 for each point
MOST_JSON_VALUES = 5_000_000
DEEPEST = 32  # lists and mappings inside each other
LONGEST_NUMBER = 300  # digits: every such integer can be converted to a float
TOO_LONG = 10**LONGEST_NUMBER

UNCOUNTED = (
    50_000  # characters of a text that is not counted value by value if nothing in it is odd
)
MOST_BRACKETS = 64  # opening brackets of such a text
ODD = re.compile(r"[&*!]|\S{300}|^[ \t?:-]{64}", re.MULTILINE)
"""References and tags, long numbers and deep indentation."""


def read_text(path: Path, most: int = MOST_YAML) -> str:
    """Return the text of a file in UTF-8 of at most ``most`` bytes.

    Raises OSError for a file that cannot be read, and ValueError for a longer one, for one that is
    not a regular file, such as a pipe, which may never end, and for one that is not UTF-8.
    """
    with open(path, "rb", opener=without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is not a regular file")
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return content.decode("utf-8")


def without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe is opened without waiting for a process that writes into it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def yaml_of(text: str, load: Callable[[str], Any]) -> Any:
    """Return the content of a YAML text, read by ``load``.

    Raises ValueError for a text that exceeds a limit, and yaml.YAMLError for one that is not YAML.
    """
    refuse_large_yaml(text)
    content = within_the_stack(load, text)
    refuse_deep(content)
    return content


def refuse_large_yaml(text: str) -> None:
    """Raise ValueError for a YAML text that is too large or that may become so when it is read."""
    if len(text) > MOST_YAML:
        raise ValueError(f"it has more than {MOST_YAML:,} characters")
    brackets = text.count("[") + text.count("{")
    if len(text) > UNCOUNTED or brackets > MOST_BRACKETS or ODD.search(text):
        count_values(yaml.parse(text, LOADER))


def count_values(events: Iterable[yaml.Event]) -> None:
    """Raise ValueError if a YAML text has too many values once its references are expanded.

    events: of the parser, which builds nothing. They are read no further than the limits allow.
    """
    values = characters = 0
    inside: list[list] = []  # of each list and mapping: its anchor, its start, its height so far
    known: dict[str, tuple[int, int, int]] = {}  # anchor -> values, characters, height
    for event in events:
        height = 0
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, *_ in inside):
                raise ValueError(f"the reference *{event.anchor} is inside what it refers to")
            more, longer, height = known.get(event.anchor, (1, 1, 0))
            values, characters = values + more, characters + longer
        elif isinstance(event, yaml.ScalarEvent):
            refuse_long_number(event)
            values, characters = values + 1, characters + 1 + len(event.value)
            if event.anchor:
                known[event.anchor] = 1, 1 + len(event.value), 0
        elif isinstance(event, yaml.CollectionStartEvent):
            inside.append([event.anchor, values, characters, 0])
            values, characters = values + 1, characters + 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, values_before, characters_before, below = inside.pop()
            height = below + 1
            if anchor:
                known[anchor] = values - values_before, characters - characters_before, height
        if inside:
            inside[-1][3] = max(inside[-1][3], height)
        if len(inside) + height > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} deep")
        if values > MOST_YAML_VALUES or characters > MOST_YAML:
            raise ValueError(
                f"it has more than {MOST_YAML_VALUES:,} values or {MOST_YAML:,} characters once "
                "its references are expanded"
            )


def refuse_long_number(event: yaml.ScalarEvent) -> None:
    """Raise ValueError for a number of too many digits; reading it could take minutes."""
    is_number = event.implicit[0] or (event.tag or "").endswith((":int", ":float"))
    if is_number and len(event.value) > LONGEST_NUMBER and re.match(r"[-+.]?\d", event.value):
        raise ValueError(f"it has a number of more than {LONGEST_NUMBER} digits")


def json_of(text: str | bytes) -> Any:
    """Return the content of a JSON text; raises ValueError if it is not JSON or exceeds a limit."""
    if len(text) > MOST_JSON:
        raise ValueError(f"it has more than {MOST_JSON:,} bytes")
    signs = (b",", b"[", b"{") if isinstance(text, bytes) else (",", "[", "{")
    if sum(map(text.count, signs)) > MOST_JSON_VALUES:  # pyright: ignore[reportArgumentType]
        raise ValueError(f"it has more than {MOST_JSON_VALUES:,} values")
    content = within_the_stack(json.loads, text)
    refuse_deep(content)
    return content


def load_json(path: Path) -> Any:
    """Return the content of a JSON file; raises OSError, and ValueError as ``json_of`` does."""
    return json_of(read_text(path, MOST_JSON))


def within_the_stack(load: Callable[[Any], Any], text: str | bytes) -> Any:
    """Return what ``load`` reads in a text; raises ValueError for deep nesting and long integers.

    Python's own message about a long integer advises to change a setting of Python.
    """
    try:
        return load(text)
    except RecursionError as error:
        raise ValueError(f"it is nested more than {DEEPEST} deep") from error
    except ValueError as error:
        if "integer string conversion" not in str(error):
            raise
        raise ValueError(f"it has a number of more than {LONGEST_NUMBER} digits") from error


def refuse_deep(content: Any) -> None:
    """Raise ValueError for content that is nested too deeply or has an integer that is too long."""
    level = [content]
    for _ in range(DEEPEST + 1):
        inner: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                inner += value.values()
            elif isinstance(value, list):
                inner += value
            elif type(value) is int and not -TOO_LONG < value < TOO_LONG:
                raise ValueError(f"it has a number of more than {LONGEST_NUMBER} digits")
        if not inner:
            return
        level = inner
    raise ValueError(f"it is nested more than {DEEPEST} deep")
