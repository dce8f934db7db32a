"""Kinds of values that a key of a config may hold."""

import math
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Number:
    """A finite number within bounds.

    whole: no fraction. above, below: the bound itself is excluded. words: what may stand instead.
    empty: ``null`` may stand instead. example: what a message suggests to type.
    """

    low: float
    high: float
    example: float | str
    whole: bool = False
    above: bool = False
    below: bool = False
    empty: bool = False
    words: tuple[str, ...] = ()

    def allows(self, value: Any) -> bool:
        """Return whether a value is within these bounds."""
        if value is None:
            return self.empty
        if isinstance(value, str):
            return value in self.words
        if isinstance(value, bool) or not isinstance(value, int if self.whole else int | float):
            return False
        low = value > self.low if self.above else value >= self.low
        high = value < self.high if self.below else value <= self.high
        return math.isfinite(value) and low and high

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        low = f"above {self.low:,}" if self.above else f"of at least {self.low:,}"
        high = f"below {self.high:,}" if self.below else f"at most {self.high:,}"
        others = [*self.words, *(["null"] if self.empty else [])]
        return " or ".join([f"{kind} {low} and {high}", *others])


@dataclass(frozen=True)
class Numbers:
    """A list of numbers, each within the same bounds."""

    each: Number
    shortest: int
    longest: int
    example: str

    def allows(self, value: Any) -> bool:
        """Return whether a value is such a list."""
        fits = isinstance(value, list | tuple) and self.shortest <= len(value) <= self.longest
        return fits and all(self.each.allows(number) for number in value)

    def __str__(self) -> str:
        lengths = {self.shortest, self.longest}
        count = " to ".join(f"{length:,}" for length in sorted(lengths))
        return f"a list of {count} numbers, each {self.each}"


@dataclass(frozen=True)
class Word:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def example(self) -> str:
        """What a message suggests to type."""
        return self.words[0]

    def allows(self, value: Any) -> bool:
        """Return whether a value is one of the words."""
        return isinstance(value, str) and value in self.words

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}"


@dataclass(frozen=True)
class Device:
    """``auto``, ``cpu``, ``cuda`` or one of several GPUs, ``cuda:1``."""

    example: str = "auto"

    def allows(self, value: Any) -> bool:
        """Return whether a value names a device."""
        if not isinstance(value, str):
            return False
        name, _, number = value.partition(":")
        return value in ("auto", "cpu", "cuda") or (name == "cuda" and number.isdecimal())

    def __str__(self) -> str:
        return "auto, cpu, cuda or cuda:<number>"


@dataclass(frozen=True)
class Flag:
    """True or false.

    words: what may stand instead.
    """

    example: str = "true"
    words: tuple[str, ...] = ()

    def allows(self, value: Any) -> bool:
        """Return whether a value is true or false."""
        return isinstance(value, bool) or (isinstance(value, str) and value in self.words)

    def __str__(self) -> str:
        return " or ".join(["true", "false", *self.words])


QUOTED = """one that looks like a number or like true goes in quotes, '"2.5"'"""


def is_text(value: Any, numbers: bool) -> bool:
    """Return whether a value is a text that is not empty, or a whole number where it may be."""
    if isinstance(value, str):
        return value != ""
    return numbers and type(value) is int  # a truth value is an int as well


@dataclass(frozen=True)
class Text:
    """Any text, such as the name of a folder; or ``null`` if it may be ``empty``.

    numbers: a whole number may stand instead, such as the name of a column.
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

    numbers: whole numbers may stand among them.
    """

    example: str
    empty: bool = False
    numbers: bool = False

    def allows(self, value: Any) -> bool:
        """Return whether a value is such a list."""
        if value is None:
            return self.empty
        if not isinstance(value, list | tuple):
            return False
        return all(is_text(text, self.numbers) or text == "" for text in value)

    def __str__(self) -> str:
        return f"a list of names{' or null' if self.empty else ''} ({QUOTED})"


@dataclass(frozen=True)
class Choice:
    """One of a few whole numbers."""

    numbers: tuple[int, ...]

    @property
    def example(self) -> int:
        """What a message suggests to type."""
        return self.numbers[0]

    def allows(self, value: Any) -> bool:
        """Return whether a value is one of the numbers."""
        return type(value) is int and value in self.numbers  # a truth value is an int as well

    def __str__(self) -> str:
        return " or ".join(map(str, self.numbers))


@dataclass(frozen=True)
class Factors:
    """A list of patterns, each with a factor, or another number, behind a colon."""

    example: str = "[features.*:0.1]"
    high: float = 1000
    called: str = "factor"

    def allows(self, value: Any) -> bool:
        """Return whether a value is such a list, with numbers from 0 to ``high``."""
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


Kind = Number | Numbers | Word | Device | Flag | Text | Texts | Choice | Factors
