"""The ``key=value`` arguments of a command."""

import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from dlcourse.errors import UserError, nearest
from dlcourse.schema.kinds import Number
from dlcourse.terminal.command import in_own_form, own_name


def arguments(
    words: Sequence[str], defaults: Mapping[str, str | None], usage: str | None
) -> dict[str, str]:
    """Read the ``key=value`` arguments of a command; a default of None makes a key required.

    usage: the command's docstring. It is printed for ``--help``, which ends the command, and its
    indented lines are shown with an error. Raises UserError for unknown and missing keys.
    """
    usage = in_own_form(usage or "")
    if {"-h", "--help"} & set(words):
        print(usage.strip())
        sys.exit(0)
    command = "\n".join(line for line in usage.splitlines() if line.startswith("    "))
    right = corrected(words, defaults)
    if right != list(words):
        again = " ".join([program_of(usage), *map(shlex.quote, right)])
        wrong = next((word for word in words if word not in right), words[0])
        raise UserError(
            f"{wrong} is not understood: options are typed key=value, without dashes or spaces.\n"
            f"Type {again}"
        )
    values = dict(defaults)
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or key not in defaults:
            raise UserError(f"{word} is not understood; {nearest(key, defaults)}.\n{command}")
        values[key] = value
    given = {key: value for key, value in values.items() if value is not None}
    for key in (key for key in values if key not in given):
        raise UserError(f"{key}=<...> is missing.\n{command}")
    return given


def program_of(usage: str) -> str:
    """Return the program in the first indented line of a usage: the words before its options."""
    line = next((line for line in usage.splitlines() if line.startswith("    ")), "")
    words = shlex.split(line.partition("[")[0].partition("<")[0])
    program = list(takewhile(lambda word: "=" not in word and not word.startswith("-"), words))
    return " ".join(map(shlex.quote, program)) or own_name()


def corrected(words: Sequence[str], keys: Iterable[str]) -> list[str]:
    """Return words as ``key=value`` where they were typed in another of the usual ways.

    ``--lr 0.1``, ``--lr=0.1``, ``lr = 0.1``, ``lr:0.1``, ``[a, b]`` with its space and, for one of
    the keys, ``key value``. Other words stay as they are.
    """
    keys, rest, found = set(keys), list(words), []
    while rest:
        word = rest.pop(0)
        word += closing(word, rest)
        if re.match(r"--?[A-Za-z]", word):
            key, equals, value = word.lstrip("-").partition("=")
            if not equals:
                value = rest.pop(0) if rest and is_value(rest[0]) else "true"
            word = f"{key.replace('-', '_')}={value}"
        elif "=" not in word and rest and rest[0].startswith("="):
            word += rest.pop(0)
        elif "=" not in word and re.fullmatch(r"[A-Za-z_][\w./]*:[^:\\/].*", word):
            word = word.replace(":", "=", 1)
        elif (word in keys or re.fullmatch(r"\w+(\.\w+)+", word)) and rest and is_value(rest[0]):
            word = f"{word}={rest.pop(0)}"
        if re.fullmatch(r"[+\w./@-]+=", word) and rest and is_value(rest[0]):
            word += rest.pop(0)
        found.append(word)
    return found


def is_value(word: str) -> bool:
    """Return whether a word can only be a value: no override and no flag."""
    return "=" not in word and not re.match(r"--?[A-Za-z]", word)


def closing(word: str, rest: list[str]) -> str:
    """Take from the words that follow what closes a bracket; nothing where none does."""

    def is_open(text: str) -> bool:
        return any(text.count(pair[0]) > text.count(pair[1]) for pair in ("[]", "{}", "()"))

    taken, number = "", 0
    while is_open(word + taken) and number < len(rest):
        comma = (word + taken).endswith((",", "[", "{", "(")) or rest[number].startswith((",", "]"))
        taken += ("" if comma else ",") + rest[number]
        number += 1
    if is_open(word + taken):
        return ""
    del rest[:number]
    return taken


def whole_number_argument(words: Mapping[str, str], key: str, allowed: Number) -> int:
    """Return one of a command's arguments as a whole number, as ``number_argument`` does."""
    assert allowed.whole
    return int(number_argument(words, key, allowed))


def number_argument(words: Mapping[str, str], key: str, allowed: Number) -> float:
    """Return one of a command's arguments as a number; raises UserError for what is not allowed."""
    text = words[key]
    try:
        value = int(text) if allowed.whole else float(text)
    except ValueError:
        value = None
    if value is None or not allowed.allows(value):
        raise UserError(
            f"{key}={text} is not allowed: {key} takes {allowed}.\n"
            f"Type, for example, {key}={allowed.example}"
        )
    return value
