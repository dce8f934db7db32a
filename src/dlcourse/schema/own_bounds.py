"""Bounds that a user's own YAML declares: ``_bounds_: {gamma: "number >= 0"}``."""

import math
import re
from collections.abc import Mapping
from typing import Any

from dlcourse.errors import UserError, nearest
from dlcourse.schema.kinds import Flag, Kind, Number, Numbers, OneOf, Text
from dlcourse.schema.overrides import leaves

FORMS = (
    "number >= 0", "number > 0 and <= 1", "whole number >= 1 or null", "list of numbers > 0",
    "one of small, large", "true or false", "text",
)  # fmt: skip
"""Examples of what can be declared."""

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
CONDITION = rf"(>=|>|<=|<)\s*({NUMBER})"
NUMBERS = re.compile(
    rf"(?P<list>list of )?(?P<whole>whole )?numbers?\s*(?P<limits>{CONDITION}"
    rf"(?:(?:\s*,\s*|\s+and\s+|\s+){CONDITION})*)?(?P<others>(?:\s+or\s+\w+)*)",
    re.IGNORECASE,
)
LONGEST_LIST = 1000  # list of numbers


def read_bounds(text: str) -> Kind | None:
    """Return the bounds that a text declares; None if it is not understood."""
    text = " ".join(text.split())
    if text == "true or false":
        return Flag()
    if text in ("text", "text or null"):
        return Text("<text>", empty=text != "text")
    if text.startswith("one of ") and text[7:].strip():
        return OneOf(tuple(name.strip() for name in text[7:].split(",")))
    parts = NUMBERS.fullmatch(text)
    if parts is None:
        return None
    number = matched_number(parts)
    if number is None:
        return None
    return Numbers(number, 0, LONGEST_LIST, f"[{number.example}]") if parts["list"] else number


def matched_number(parts: re.Match[str]) -> Number | None:
    """Return the bounds of a number from a match of ``NUMBERS``; None if no number fits them."""
    low, high, above, below = -math.inf, math.inf, False, False
    for sign, written in re.findall(CONDITION, parts["limits"] or ""):
        if sign.startswith(">"):
            low, above = number_from(written), sign == ">"
        else:
            high, below = number_from(written), sign == "<"
    names = re.findall(r"or (\w+)", parts["others"] or "")
    whole = bool(parts["whole"])
    example = within(low, high, above, below, whole)
    kind = Number(
        low, high, example, whole, above, below, "null" in names,
        tuple(name for name in names if name != "null"),
    )  # fmt: skip
    return kind if kind.allows(example) else None


def number_from(written: str) -> float:
    """Return a number as it was written, whole ones without a fraction."""
    number = float(written)
    return int(number) if number.is_integer() else number


def within(low: float, high: float, above: bool, below: bool, whole: bool) -> float:
    """Return an example of a number between two limits, each of which may be infinite.

    above, below: the lower or upper limit itself is excluded. whole: the example is an integer.
    """
    if math.isfinite(low) and (not above or whole):
        found = math.floor(low) + 1 if above else math.ceil(low) if whole else low
    elif math.isfinite(low):
        found = (low + high) / 2 if math.isfinite(high) else low + 1
    elif math.isfinite(high):
        found = high - 1 if below or whole else high
    else:
        found = 0
    return int(found) if float(found).is_integer() else found


def declared_bounds(key: str, choice: Mapping[str, Any]) -> dict[str, tuple[object, Kind]]:
    """Return the value and the bounds of each key of a choice that declares its bounds.

    key: where the choice is in the config, ``loss`` or ``augment.my_crop``. Raises UserError for
    bounds of a key that the choice does not have, and for bounds that are not understood.
    """
    given = choice.get("_bounds_")
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UserError(
            f"{key}._bounds_={given} is not allowed: bounds have a key each.\n"
            f"Type into the YAML of this choice _bounds_: {{<key>: {FORMS[0]}}}"
        )
    values = dict(leaves(dict(choice), private=False))
    found = {}
    for name, text in given.items():
        if name not in values:
            raise UserError(
                f"{name} in {key}._bounds_ is not a key of this choice; "
                f"{nearest(str(name), values)}.\n"
                "Correct the name in the YAML of this choice"
            )
        kind = read_bounds(text) if isinstance(text, str) else None
        if kind is None:
            raise UserError(
                f"{key}._bounds_ has {name}: {text}, which is not understood.\n"
                f"Type into the YAML of this choice bounds such as {'; '.join(FORMS)}"
            )
        found[f"{key}.{name}"] = (values[name], kind)
    return found
