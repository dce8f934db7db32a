"""Turn Python values into overrides: the keyword ``max_epochs=5`` into ``"max_epochs=5"``."""

import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from dlcourse.errors import UserError
from dlcourse.schema.command_line import in_grammar
from dlcourse.schema.overrides import quoted

UNQUOTED = re.compile(
    r"[A-Za-z_][\w.*/:-]*"
)  # a text that a list of Hydra's grammar takes unquoted


def overrides_of(
    typed: Sequence[str],
    settings: Mapping[str, Any],
    config_dir: str | None,
    *,
    swept: bool = False,
) -> list[str]:
    """Return positional overrides and keyword settings as overrides in Hydra's grammar.

    swept: a list in ``settings`` means the values of a sweep, not one value.
    Raises UserError for an argument that is not an override.
    """
    for override in typed:
        if not isinstance(override, str):
            raise UserError(
                f"{override!r:.60} is not an override.\n"
                'Type overrides as text, "optim.lr=0.1", or top-level keys as keywords, '
                "max_epochs=5"
            )
        if override.startswith("-"):
            raise UserError(
                f"{override} is a flag of the command line, and Python takes none.\n"
                "Type dlcourse.sweep(...) for a sweep, or config_dir=<folder> for your own configs"
            )
    found = [f"{key}={text}" for key, text in settings_as_text(settings, swept)]
    overrides = in_grammar([*typed, *found], config_dir)
    if not swept:
        refuse_sweeps(overrides)
    return overrides


def refuse_sweeps(overrides: list[str]) -> None:
    """Raise UserError for an override with several values."""
    for override in OverridesParser.create().parse_overrides(overrides):
        if override.is_sweep_override():
            again = ", ".join(map(repr, overrides))
            key, _, value = (override.input_line or "").partition("=")
            raise UserError(
                f"{override.input_line} has several values, and dlcourse.train is one run.\n"
                f'Type dlcourse.sweep({again}), or "{key}=[{value}]" for one list'
            )


def settings_as_text(
    settings: Mapping[str, Any], swept: bool, above: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield ``("optim.lr", "0.1")`` for each value of ``{"optim": {"lr": 0.1}}``."""
    for name, value in settings.items():
        key = f"{above}{name}"
        if isinstance(value, Mapping) and value:
            yield from settings_as_text(value, swept, f"{key}.")
        elif swept and isinstance(value, list | tuple | range):
            yield key, ",".join(as_text(key, one) for one in value)
        else:
            yield key, as_text(key, value)


def as_text(key: str, value: Any, *, inside: bool = False) -> str:
    """Return a value as a user types it after ``key=``; raises UserError for an unknown type.

    A string is used as it is. inside: the value is an element of a list or dict, where a string is
    quoted if Hydra's grammar needs it.
    """
    if hasattr(value, "tolist"):  # an array or a number of NumPy or PyTorch
        value = value.tolist()
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value) if inside and not UNQUOTED.fullmatch(value) else value
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, PathLike):
        return quoted(str(fspath(value)))
    if isinstance(value, list | tuple | range):
        return f"[{','.join(as_text(key, one, inside=True) for one in value)}]"
    if isinstance(value, Mapping):
        inner = (f"{name}:{as_text(key, one, inside=True)}" for name, one in value.items())
        return f"{{{','.join(inner)}}}"
    raise UserError(
        f"{key}={value!r:.60} cannot be written into a config.\n"
        "Type a number, a text, true or false, None, or a list or dict of them"
    )
