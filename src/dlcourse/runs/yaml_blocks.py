"""Read many YAML files that are nearly the same: a block that was read before is not parsed again.

The configs of a sweep's jobs differ in one or two lines. Parsing the whole of each takes 1 ms, and
a report on 1,000 jobs reads 2,000 of these files.
"""

import re
from functools import lru_cache
from textwrap import dedent
from typing import Any

import yaml

from dlcourse.schema.packaged import LOADER
from dlcourse.schema.untrusted import yaml_of

BLOCK = re.compile(r"^(?=\w)", re.MULTILINE)  # a line that is not indented begins a new block
INNER_BLOCKS = re.compile(
    r"[\w.-]+:\n(?:  .*\n)+"
)  # a key alone in its line, and what is indented below
SHORT = 200  # characters of a nested block that is parsed as a whole


def load_yaml(text: str) -> Any:
    """Return the content of a YAML text as plain values, as ``yaml.load`` does.

    Raises yaml.YAMLError for a text that is not YAML, and ValueError for one that exceeds a limit.
    """
    return yaml_of(text, load_blocks)


def load_blocks(text: str) -> Any:
    """Return the content of a YAML text that is within the limits."""
    if "&" not in text and "*" not in text:  # a reference may lead from one block to another
        try:
            return copied(mapping(text))
        except (ValueError, yaml.YAMLError):
            pass  # it is not a mapping of such blocks
    return yaml.load(text, Loader=LOADER)


def mapping(text: str) -> dict:
    """Return the mapping of a text, block by block; raises ValueError where this may be wrong."""
    start, *blocks = BLOCK.split(text)
    if start.strip() or not blocks:
        raise ValueError("no mapping")
    found: dict = {}
    for block in blocks:
        found.update(block_of(block))
    return found


@lru_cache(maxsize=20_000)
def block_of(block: str) -> dict:
    """Return the mapping of one block, ``{"optim": {"lr": 0.1, ...}}``; it must not be changed."""
    if len(block) > SHORT and INNER_BLOCKS.fullmatch(block):
        key, _, inner = block.partition(":\n")
        return {key: mapping(dedent(inner))}
    content = yaml.load(block, Loader=LOADER)
    if not isinstance(content, dict):
        raise ValueError("no mapping")
    return content


def copied(content: Any) -> Any:
    """Return a copy of nested dicts and lists."""
    if isinstance(content, dict):
        return {key: copied(value) for key, value in content.items()}
    if isinstance(content, list):
        return [copied(value) for value in content]
    return content
