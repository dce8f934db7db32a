"""Read the ``key=value`` arguments of a command."""

import math
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

from dlcourse.errors import UserError, nearest
from dlcourse.schema.kinds import Number
from dlcourse.schema.typed_alone import missing_choice, refuse_bare_choices
from dlcourse.terminal.command import in_own_form, own_name


def arguments(
    args: Sequence[str],
    defaults: Mapping[str, str | None],
    usage: str | None,
    choices: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, str]:
    """Read the ``key=value`` arguments of a command; a default of None makes a key required.

    usage: the command's docstring. It is printed for ``--help``, which ends the command, and its
    indented lines are shown with an error. choices: the names that a key takes, each with a line
    that says what it is. Raises UserError for unknown and missing keys.
    """
    choices = choices or {}
    usage = in_own_form(usage or "")
    if {"-h", "--help"} & set(args):
        print(usage.strip())
        sys.exit(0)
    command = "\n".join(line for line in usage.splitlines() if line.startswith("    "))
    right = corrected(args, defaults)
    if right != list(args):
        again = " ".join([program_of(usage), *map(shlex.quote, right)])
        wrong = next((arg for arg in args if arg not in right), args[0])
        raise UserError(
            f"{wrong} is not understood: options are typed key=value, without dashes or spaces.\n"
            f"Type {again}"
        )
    refuse_bare_choices(args, choices)
    values = dict(defaults)
    for arg in args:
        key, equals, value = arg.partition("=")
        if not equals and key in defaults:
            if key in choices:
                raise UserError(missing_choice([one for one in args if one != arg], key, choices))
            raise UserError(f"{key} has no value.\nType {key}=<value>")
        if not equals or key not in defaults:
            raise UserError(f"{arg} is not understood; {nearest(key, defaults)}.\n{command}")
        values[key] = value
    given = {key: value for key, value in values.items() if value is not None}
    for key in (key for key in values if key not in given):
        if key in choices:
            raise UserError(missing_choice(args, key, choices))
        raise UserError(f"{key}=<...> is missing.\n{command}")
    return given


def program_of(usage: str) -> str:
    """Return the program named in the first indented line of a usage text, without its options."""
    line = next((line for line in usage.splitlines() if line.startswith("    ")), "")
    args = shlex.split(line.partition("[")[0].partition("<")[0])
    program = list(takewhile(lambda arg: "=" not in arg and not arg.startswith("-"), args))
    return " ".join(map(shlex.quote, program)) or own_name()


def corrected(args: Sequence[str], keys: Iterable[str]) -> list[str]:
    """Rewrite arguments as ``key=value`` if they were typed in another common form.

    The forms are ``--lr 0.1``, ``--lr=0.1``, ``lr = 0.1``, ``lr:0.1``, ``[a, b]`` with a space and,
    for one of ``keys``, ``key value``. Other arguments are unchanged.
    """
    keys, rest, found = set(keys), list(args), []
    while rest:
        arg = rest.pop(0)
        arg += closing(arg, rest)
        if re.match(r"--?[A-Za-z]", arg):
            key, equals, value = arg.lstrip("-").partition("=")
            if not equals:
                value = rest.pop(0) if rest and is_value(rest[0]) else "true"
            arg = f"{key.replace('-', '_')}={value}"
        elif "=" not in arg and rest and rest[0].startswith("="):
            arg += rest.pop(0)
        elif "=" not in arg and re.fullmatch(r"[A-Za-z_][\w./]*:[^:\\/].*", arg):
            arg = arg.replace(":", "=", 1)
        elif (arg in keys or re.fullmatch(r"\w+(\.\w+)+", arg)) and rest and is_value(rest[0]):
            arg = f"{arg}={rest.pop(0)}"
        if re.fullmatch(r"[+\w./@-]+=", arg) and rest and is_value(rest[0]):
            arg += rest.pop(0)
        found.append(arg)
    return found


def is_value(arg: str) -> bool:
    """Return whether an argument can only be a value: it is neither an override nor a flag."""
    return "=" not in arg and not re.match(r"--?[A-Za-z]", arg)


def closing(arg: str, rest: list[str]) -> str:
    """Return the arguments of ``rest`` that complete a list of ``arg``; remove them from ``rest``.

    They are joined, with commas where they lack them. Returns an empty text, and leaves ``rest``
    unchanged, if ``arg`` has no open bracket or it is never closed.
    """

    def is_open(text: str) -> bool:
        return any(text.count(pair[0]) > text.count(pair[1]) for pair in ("[]", "{}", "()"))

    added, number = "", 0
    while is_open(arg + added) and number < len(rest):
        comma = (arg + added).endswith((",", "[", "{", "(")) or rest[number].startswith((",", "]"))
        added += ("" if comma else ",") + rest[number]
        number += 1
    if is_open(arg + added):
        return ""
    del rest[:number]
    return added


def whole_number_argument(args: Mapping[str, str], key: str, allowed: Number) -> int:
    """Return one of a command's arguments as an integer; raises UserError if it is not allowed."""
    assert allowed.whole
    return int(number_argument(args, key, allowed))


def number_argument(args: Mapping[str, str], key: str, allowed: Number) -> float:
    """Return one of a command's arguments as a number; raises UserError if it is not allowed."""
    text = args[key]
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


def choice_argument(args: Mapping[str, str], key: str, allowed: Sequence[str]) -> str:
    """Return one of a command's arguments; raises UserError if it is not one of ``allowed``."""
    text = args[key]
    if text not in allowed:
        raise UserError(
            f"{key}={text} is not allowed; {nearest(text, allowed)}.\nType {key}={allowed[0]}"
        )
    return text


def numbers_argument(args: Mapping[str, str], key: str) -> list[float]:
    """Return one of a command's arguments as numbers: ``0.5,1`` or ``[0.5,1]``.

    Raises UserError if one of them is not a finite number.
    """
    text = args[key].strip("[] ")
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = [math.nan]
    if not all(map(math.isfinite, numbers)):
        raise UserError(
            f"{key}={args[key]} is not allowed: {key} takes numbers with commas between them.\n"
            f"Type, for example, {key}=0.5,1,-2"
        )
    return numbers
