"""Find and replace what a file says about the person and the machine that made it."""

import getpass
import os
import platform
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dlcourse.schema.passwords import without_password

LONG_VALUE = 6  # characters that the value of an environment variable has at least, and one more
SHORT_NAME = 4  # characters below which a name is searched for in texts alone
COMMON_NAMES = (
    "root",
    "user",
    "home",
    "data",
    "localhost",
)  # names that say nothing, and are everywhere
ABSOLUTE = re.compile(r"(/|~|[A-Za-z]:[\\/]|\\\\).*")


def names_of_machine(folder: Path) -> dict[str, str]:
    """Return the texts that name the user, the machine or a place on it, each with what it is."""
    found = {
        "the folder": str(folder.absolute().parent),
        "the folder of Python": sys.prefix,
        "the current folder": os.getcwd(),
        "the home folder": str(Path.home()),
        "the host's name": platform.node(),
    }
    found |= {
        f"the variable {name}": value for name, value in os.environ.items() if is_place(value)
    }
    with suppress(Exception):  # there is no name for a process without an account
        found["the user's name"] = getpass.getuser()
    return {
        what: text for what, text in found.items() if len(text) > 1 and text not in COMMON_NAMES
    }


def is_place(value: str) -> bool:
    """Return whether a text is the absolute path of one file or folder below another."""
    return os.path.isabs(value) and os.pathsep not in value and len(Path(value).parts) > 2


def values_of_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the values of the environment variables that are long enough to be searched for."""
    return {
        f"the variable {name}": value
        for name, value in environment.items()
        if len(value) > LONG_VALUE
    }


def neutral_text(text: str, names: Mapping[str, str]) -> str:
    """Return a text without passwords, and with neutral words for the names of a machine."""
    words = {"the host's name": "host", "the user's name": "user", "the home folder": "home"}
    for what, name in sorted(names.items(), key=lambda item: -len(item[1])):
        text = pattern_of(name).sub(words.get(what, "folder"), text)
    return without_password(text)


def pattern_of(name: str) -> re.Pattern[str]:
    """Return the pattern of a name that is not part of a longer word."""
    return re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])")


def without_places(value: Any, names: Mapping[str, str]) -> Any:
    """Return a nested config in which absolute paths are only their last parts."""
    if isinstance(value, dict):
        return {key: without_places(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [without_places(item, names) for item in value]
    if not isinstance(value, str):
        return value
    if ABSOLUTE.fullmatch(value):
        return re.split(r"[\\/]", value.rstrip("\\/"))[-1]
    return neutral_text(value, names)


def override_without_places(override: str, names: Mapping[str, str]) -> str:
    """Return an override in which an absolute path is only its last part."""
    key, equals, value = override.partition("=")
    quote = value[:1] if value[:1] in ("'", '"') and value[-1:] == value[:1] else ""
    return f"{key}{equals}{quote}{without_places(value.strip(quote or None), names)}{quote}"


def found_in(content: bytes, searched: Mapping[str, str]) -> list[str]:
    """Return which of some texts the bytes of a file hold."""
    is_text = b"\0" not in content
    return [
        what
        for what, text in searched.items()
        if (is_text or len(text) >= SHORT_NAME)
        and re.search(
            rb"(?<![A-Za-z0-9])" + re.escape(text.encode()) + rb"(?![A-Za-z0-9])", content
        )
    ]
