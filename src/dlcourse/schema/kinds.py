"""The kinds of values that a key of a config can have, each with its bounds."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dlcourse.schema.duration import seconds
from dlcourse.schema.interval import training_interval

SMALLEST_FLOAT32 = 2.0**-126
"""The smallest normal number of float32, 1.2e-38; what is below 7e-46 is 0 there.

The reciprocal of a smaller number can be infinite, and GPUs may compute with 0 in its place.
"""


@dataclass(frozen=True)
class Number:
    """A finite number within bounds.

    whole: an integer. above, below: the bound itself is excluded. names: names that are allowed as
    well. empty: ``null`` is allowed as well. example: what a message suggests to type.
    in_float32: training computes with it in float32, where a number that has to be above 0 must
    still be; False for numbers of which only Python computes, such as seconds.
    """

    low: float
    high: float
    example: float | str
    whole: bool = False
    above: bool = False
    below: bool = False
    empty: bool = False
    names: tuple[str, ...] = ()
    in_float32: bool = True

    def allows(self, value: Any) -> bool:
        """Return whether a value is within these bounds."""
        if value is None:
            return self.empty
        if isinstance(value, str):
            return value in self.names
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        low = value > self.low if self.above else value >= self.low
        high = value < self.high if self.below else value <= self.high
        return low and high and math.isfinite(value)  # last: it raises for huge integers

    def vanishes(self, value: Any) -> bool:
        """Return whether an allowed value that has to be above 0 is too small for float32."""
        needed = self.in_float32 and self.above and self.low == 0
        return needed and isinstance(value, float) and value < SMALLEST_FLOAT32

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        low = f"above {self.low:,}" if self.above else f"of at least {self.low:,}"
        high = f"below {self.high:,}" if self.below else f"at most {self.high:,}"
        limits = [low] * math.isfinite(self.low) + [high] * math.isfinite(self.high)
        others = [*self.names, *(["null"] if self.empty else [])]
        return " or ".join([" ".join([kind, " and ".join(limits)]).strip(), *others])


@dataclass(frozen=True)
class Numbers:
    """A list of numbers, each within the same bounds.

    names: names that are allowed as well. empty: ``null`` is allowed as well.
    """

    each: Number
    shortest: int
    longest: int
    example: str
    names: tuple[str, ...] = ()
    empty: bool = False

    def allows(self, value: Any) -> bool:
        """Return whether a value is a list of an allowed length, with allowed numbers."""
        if value is None or isinstance(value, str):
            return self.empty if value is None else value in self.names
        fits = isinstance(value, list | tuple) and self.shortest <= len(value) <= self.longest
        return fits and all(self.each.allows(number) for number in value)

    def vanishes(self, value: Any) -> bool:
        """Return whether one of the allowed numbers is too small for float32."""
        return isinstance(value, list | tuple) and any(map(self.each.vanishes, value))

    def __str__(self) -> str:
        lengths = {self.shortest, self.longest}
        count = " to ".join(f"{length:,}" for length in sorted(lengths))
        others = [*self.names, *(["null"] if self.empty else [])]
        return " or ".join([f"a list of {count} numbers, each {self.each}", *others])


@dataclass(frozen=True)
class OneOf:
    """One of a few names."""

    names: tuple[str, ...]

    @property
    def example(self) -> str:
        """What a message suggests to type."""
        return self.names[0]

    def allows(self, value: Any) -> bool:
        """Return whether a value is one of the names."""
        return isinstance(value, str) and value in self.names

    def __str__(self) -> str:
        return f"one of {', '.join(self.names)}"


@dataclass(frozen=True)
class Function(OneOf):
    """One of a few names, some with parameters after colons: ``leaky_relu:0.2``.

    numbers: the parameters of a name, ``{"leaky_relu": {"slope": Number(...)}}``. Either all of
        them are given or none; several are in ascending order.
    """

    numbers: Mapping[str, Mapping[str, Number]] = field(default_factory=dict)

    @property
    def example(self) -> str:
        """What a message suggests to type."""
        name = self.names[0]
        bounds = self.numbers.get(name, {}).values()
        return ":".join([name, *(str(bound.example) for bound in bounds)])

    def allows(self, value: Any) -> bool:
        """Return whether a value is one of the names, alone or with all of its parameters."""
        if not isinstance(value, str) or ":" not in value:
            return super().allows(value)
        name, *texts = value.split(":")
        bounds = self.numbers.get(name, {}).values()
        given = [number for number in map(as_number, texts) if number is not None]
        fits = len(given) == len(texts) == len(bounds) and all(
            bound.allows(number) for bound, number in zip(bounds, given, strict=True)
        )
        return fits and given == sorted(given)

    def vanishes(self, value: Any) -> bool:
        """Return whether one of the parameters of an allowed value is too small for float32."""
        name, *texts = str(value).split(":")
        bounds = self.numbers.get(name, {}).values()
        return any(
            bound.vanishes(as_number(text)) for bound, text in zip(bounds, texts, strict=False)
        )

    def closer(self, value: Any) -> "Function":
        """Return this kind for the name before the value's colon alone; itself if that is wrong."""
        name, colon, _ = str(value).partition(":")
        return replace(self, names=(name,)) if colon and name in self.names else self

    def spelled(self, name: str) -> str:
        """Return a name with its parameters, ``leaky_relu[:<slope>]``."""
        numbers = "".join(f":<{number}>" for number in self.numbers.get(name, {}))
        return f"{name}[{numbers}]" if numbers else name

    def __str__(self) -> str:
        if len(self.names) != 1:
            return f"one of {', '.join(map(self.spelled, self.names))}"
        (name,) = self.names
        bounds = [f"{number} {bound}" for number, bound in self.numbers.get(name, {}).items()]
        if not bounds:
            return f"{name} without a number"
        ascending = ", in ascending order" if len(bounds) > 1 else ""
        return f"{self.spelled(name)} with {' and '.join(bounds)}{ascending}"


def as_number(text: str) -> int | float | None:
    """Return a text as a number; None if it is not a number."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None


@dataclass(frozen=True)
class Device:
    """A device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` for one of several GPUs, or ``mps``."""

    example: str = "auto"

    def allows(self, value: Any) -> bool:
        """Return whether a value names a device."""
        if not isinstance(value, str):
            return False
        name, _, number = value.partition(":")
        return value in ("auto", "cpu", "cuda", "mps") or (name == "cuda" and number.isdecimal())

    def __str__(self) -> str:
        return "auto, cpu, cuda, cuda:<number> or mps"


MOST_STEPS_BETWEEN = 1_000_000_000


@dataclass(frozen=True)
class Duration:
    """A time above 0, such as ``30m``, or ``null``; a number without a unit is in seconds.

    steps: a number without a unit is a whole number of steps.
    """

    example: str
    steps: bool = False

    def allows(self, value: Any) -> bool:
        """Return whether a value is a duration."""
        if self.steps and isinstance(value, int | float):
            return (
                type(value) is int and 0 < value <= MOST_STEPS_BETWEEN
            )  # bool is a subclass of int
        return value is None or seconds(value) is not None

    def __str__(self) -> str:
        plain = "a number of steps" if self.steps else "a number of seconds"
        return f"a time with a unit (90s, 30m, 2h, 1d), {plain}, or null"


@dataclass(frozen=True)
class Interval:
    """An interval of training: a whole number of steps, or epochs such as ``0.5epoch``."""

    example: str = "1epoch"

    def allows(self, value: Any) -> bool:
        """Return whether a value is an interval above 0."""
        return training_interval(value) is not None

    def __str__(self) -> str:
        return "a whole number of steps (100) or a number of epochs (1epoch, 0.5epoch, 5epochs)"


@dataclass(frozen=True)
class SomeOf:
    """A list of different names out of a few."""

    names: tuple[str, ...]

    @property
    def example(self) -> str:
        """What a message suggests to type."""
        return f"[{','.join(self.names[:2])}]"

    def allows(self, value: Any) -> bool:
        """Return whether a value is a list of the names, each at most once."""
        listed = isinstance(value, list | tuple) and all(name in self.names for name in value)
        return listed and len(set(value)) == len(value)

    def __str__(self) -> str:
        return f"a list of some of {', '.join(self.names)}"


@dataclass(frozen=True)
class Flag:
    """True or false.

    names: names that are allowed as well.
    """

    example: str = "true"
    names: tuple[str, ...] = ()

    def allows(self, value: Any) -> bool:
        """Return whether a value is true or false."""
        return isinstance(value, bool) or (isinstance(value, str) and value in self.names)

    def __str__(self) -> str:
        return " or ".join(["true", "false", *self.names])


@dataclass(frozen=True)
class Code:
    """The name of a function or class in Python, ``my_module.load``; or ``null``.

    It is imported before data are read, and has to be trusted where it comes from a stored config.
    """

    example: str

    def allows(self, value: Any) -> bool:
        """Return whether a value is a dotted name."""
        if value is None:
            return True
        parts = value.split(".") if isinstance(value, str) else []
        return len(parts) > 1 and all(part.isidentifier() for part in parts)

    def __str__(self) -> str:
        return "the name of a function with its module, or null"


@dataclass(frozen=True)
class AnyOptions:
    """A mapping of any names to any values, ``{noise: 0.1}``; or ``null``."""

    example: str

    def allows(self, value: Any) -> bool:
        """Return whether a value is a mapping of names."""
        return value is None or (
            isinstance(value, Mapping) and all(isinstance(name, str) for name in value)
        )

    def __str__(self) -> str:
        return "names with values, in braces, or null"


@dataclass(frozen=True)
class Transforms:
    """Names of classes, each alone or with options: ``[{name: RandomRotation, degrees: 10}]``."""

    example: str

    def allows(self, value: Any) -> bool:
        """Return whether a value is a class's name, a mapping with a name, or a list of these."""
        items = value if isinstance(value, list | tuple) else [value]
        return bool(items) and all(
            is_class_name(item.get("name") if isinstance(item, Mapping) else item) for item in items
        )

    def __str__(self) -> str:
        return "a list of names of transforms, or of {name: <name>, <option>: <value>}"


def is_class_name(value: Any) -> bool:
    """Return whether a value is a name that begins with a capital letter, as those of classes."""
    return isinstance(value, str) and value.isidentifier() and value[0].isupper()


QUOTED = """one that looks like a number or like true goes in quotes, '"2.5"'"""


MOST_CHARACTERS = 4096  # characters; Linux allows no longer path
LARGEST_NAME = 10**15  # of a column whose name is a whole number
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def oddity(value: Any) -> str:
    """Return what makes a text, or one in a list, unfit for every key; empty if nothing does."""
    for text in value if isinstance(value, list | tuple) else [value]:
        if isinstance(text, str) and CONTROL.search(text):
            return "has a control character"
        if isinstance(text, str) and len(text) > MOST_CHARACTERS:
            return f"has more than {MOST_CHARACTERS:,} characters"
    return ""


def is_text(value: Any, numbers: bool) -> bool:
    """Return whether a value is a nonempty text, or a whole number if these are allowed.

    A text has no control characters and at most 4,096 characters.
    """
    if isinstance(value, str):
        return value != "" and not oddity(value)
    return numbers and type(value) is int and abs(value) < LARGEST_NAME


@dataclass(frozen=True)
class Text:
    """Any text, such as the name of a folder; or ``null`` if it may be ``empty``.

    numbers: a whole number is allowed as well, such as the name of a column.
    """

    example: str
    empty: bool = False
    numbers: bool = False

    def allows(self, value: Any) -> bool:
        """Return whether a value is text and not empty."""
        return is_text(value, self.numbers) or (value is None and self.empty)

    def __str__(self) -> str:
        return f"a text{' or null' if self.empty else ''} ({QUOTED})"


@dataclass(frozen=True)
class Texts:
    """A list of texts; or ``null`` if it may be ``empty``.

    numbers: whole numbers are allowed as well. single: so is one text without a list.
    """

    example: str
    empty: bool = False
    numbers: bool = False
    single: bool = False

    def allows(self, value: Any) -> bool:
        """Return whether a value is a list of texts, which may be empty ones."""
        if value is None:
            return self.empty
        if self.single and is_text(value, self.numbers):
            return True
        if not isinstance(value, list | tuple):
            return False
        return all(is_text(text, self.numbers) or text == "" for text in value)

    def __str__(self) -> str:
        start = "a name or a list of names" if self.single else "a list of names"
        return f"{start}{' or null' if self.empty else ''} ({QUOTED})"


LONGEST_NOTE = 500
LONGEST_TAG = 40
MOST_TAGS = 20
TAG = re.compile(r"\w[\w.+/:-]*")


@dataclass(frozen=True)
class OneLine:
    """A text of one line, up to 500 characters; or ``null``."""

    example: str

    def allows(self, value: Any) -> bool:
        """Return whether a value is one line of text that can be printed."""
        if value is None:
            return True
        return isinstance(value, str) and 0 < len(value) <= LONGEST_NOTE and value.isprintable()

    def __str__(self) -> str:
        return f"one line of text of at most {LONGEST_NOTE} characters, or null"


@dataclass(frozen=True)
class Tags:
    """A list of up to 20 different tags; each is a word without spaces, or a whole number."""

    example: str

    def allows(self, value: Any) -> bool:
        """Return whether a value is a list of tags, each at most once."""
        if not isinstance(value, list | tuple) or len(value) > MOST_TAGS:
            return False
        texts = [str(tag) for tag in value if isinstance(tag, str) or type(tag) is int]
        fits = all(TAG.fullmatch(text) and len(text) <= LONGEST_TAG for text in texts)
        return fits and len(set(texts)) == len(value)

    def __str__(self) -> str:
        return (
            f"a list of at most {MOST_TAGS} different tags, each of at most {LONGEST_TAG} letters, "
            "digits and the characters . + - _ / :, the first a letter or a digit"
        )


@dataclass(frozen=True)
class OneNumber:
    """One of a few whole numbers."""

    numbers: tuple[int, ...]

    @property
    def example(self) -> int:
        """What a message suggests to type."""
        return self.numbers[0]

    def allows(self, value: Any) -> bool:
        """Return whether a value is one of the numbers."""
        return type(value) is int and value in self.numbers  # bool is a subclass of int

    def __str__(self) -> str:
        return " or ".join(map(str, self.numbers))


@dataclass(frozen=True)
class Factors:
    """A list of patterns, each with a number from 0 to ``high`` after a colon.

    called: the name of the number in messages.
    """

    example: str = "[features.*:0.1]"
    high: float = 1000
    called: str = "factor"

    def allows(self, value: Any) -> bool:
        """Return whether a value is a list of patterns with numbers from 0 to ``high``."""
        if not isinstance(value, list | tuple):
            return False
        for text in value:
            pattern, colon, factor = str(text).rpartition(":")
            try:
                if not (pattern and colon and 0 <= float(factor) <= self.high):
                    return False
            except ValueError:
                return False
        return True

    def __str__(self) -> str:
        return f"a list of <name with *>:<{self.called} from 0 to {self.high:,}>"


@dataclass(frozen=True)
class NamedValues:
    """A mapping of names to values of one kind, ``{precision: max, recall: max}``.

    each: None for any value. empty: ``null`` is allowed as well.
    """

    each: "Number | Numbers | OneOf | Text | Texts | None"
    example: str
    empty: bool = False

    def allows(self, value: Any) -> bool:
        """Return whether a value is a mapping of names to allowed values."""
        if value is None:
            return self.empty
        return isinstance(value, Mapping) and all(
            isinstance(name, str) and (self.each is None or self.each.allows(one))
            for name, one in value.items()
        )

    def __str__(self) -> str:
        each = "a value" if self.each is None else str(self.each)
        return f"names, each with {each}{' or null' if self.empty else ''}"


Kind = (
    Number
    | Numbers
    | OneOf
    | Function
    | Device
    | Duration
    | Interval
    | SomeOf
    | Flag
    | Text
    | Texts
    | OneLine
    | Tags
    | OneNumber
    | Factors
    | NamedValues
    | Code
    | AnyOptions
    | Transforms
)
