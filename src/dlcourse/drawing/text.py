"""Draw names in plots literally, with fonts of this machine that have their characters."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

LITERAL: dict[str, Any] = {"parse_math": False}
"""Options of every matplotlib text that shows a name: dollar signs start no formula."""

LIKELY = ("cjk", "noto sans", "unifont", "arial unicode", "fallback", "hei", "gothic", "meiryo")
"""Parts of the names of fonts with many characters, which are searched first."""


@contextmanager
def fonts_for(names: Iterable[str]) -> Iterator[None]:
    """Add fonts that have the characters of the names, for plots drawn and saved in this block."""
    from matplotlib import rc_context, rcParams

    needed = set("".join(map(visible, names)))
    own = list(rcParams["font.family"])
    with rc_context({"font.family": [*own, *families_with(needed - drawable_by(tuple(own)))]}):
        yield


def families_with(missing: set[str]) -> list[str]:
    """Return installed font families that together have as many of the characters as possible."""
    from matplotlib import font_manager

    if not missing:
        return []

    def order(font: Any) -> tuple[bool, str]:
        return not any(part in font.name.lower() for part in LIKELY), font.name

    regular = {
        font.name: font
        for font in font_manager.fontManager.ttflist
        if font.style == "normal" and font.weight in (400, "normal", "regular")
        and "last resort" not in font.name.lower()  # a box for every letter
    }  # fmt: skip
    families = []
    for font in sorted(regular.values(), key=order):
        found = missing & letters_of(font.fname)
        if found:
            families.append(font.name)
            missing = missing - found
        if not missing:
            break
    return families


@lru_cache
def letters_of(path: str) -> frozenset[str]:
    """Return the characters in a font file; none if it cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()


@lru_cache
def drawable_by(families: tuple[str, ...]) -> frozenset[str]:
    """Return the characters that at least one of the font families has."""
    from matplotlib.font_manager import FontProperties, findfont

    paths = (str(findfont(FontProperties(family=[family]))) for family in families)
    return frozenset().union(*map(letters_of, paths))


def is_drawable(text: str) -> bool:
    """Return whether the current fonts show every character of a text, in the right order."""
    from matplotlib import ft2font, rcParams

    drawable = drawable_by(tuple(rcParams["font.family"]))
    shapes = hasattr(ft2font, "__libraqm_version__")  # matplotlib 3.11 writes from right to left
    return all(
        letter in drawable and (shapes or unicodedata.bidirectional(letter) not in ("R", "AL"))
        for letter in visible(text)
    )


def visible(text: str) -> str:
    r"""Return a text with line breaks and other unprintable characters escaped, as ``\n``."""
    return "".join(letter if letter.isprintable() else escaped(letter) for letter in text)


def escaped(letter: str) -> str:
    r"""Return a character as an escape sequence, ``\n`` or ``\u732b``."""
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


def shortened(text: str, longest: int = 24) -> str:
    """Return a text, or its start and end if it is longer than ``longest``."""
    end = longest // 3
    return text if len(text) <= longest else f"{text[: longest - end - 3]}...{text[-end:]}"


def value_label(text: str, longest: int = 40) -> str:
    r"""Return an option's value for a plot: characters without a font become ``\u732b``."""
    drawn = visible(text)
    if not is_drawable(drawn):
        drawn = "".join(one if is_drawable(one) else escaped(one) for one in drawn)
    return shortened(drawn, longest)


def title_label(text: str, longest: int = 80) -> str:
    """Return a title whose lines are at most ``longest`` characters; see ``value_label``."""
    return "\n".join(value_label(line, longest) for line in text.split("\n"))


def class_labels(classes: Sequence[str]) -> tuple[list[str], str]:
    """Return a label for every class, and a note on labels that are not names.

    A name with characters that no installed font has becomes ``class 3``. Names that are equal
    after shortening get their number in front.
    """
    short = [shortened(visible(name)) for name in classes]
    unknown = {number for number, name in enumerate(classes) if not is_drawable(name)}
    twice = {number for number, name in enumerate(short) if short.count(name) > 1} - unknown
    labels = [
        f"class {number}" if number in unknown else f"{number} {name}" if number in twice else name
        for number, name in enumerate(short)
    ]
    note = "class <number>: no font on this machine has its letters; result.json has its name"
    return labels, note if unknown else ""


def add_legend(place: Any, entries: Sequence[tuple[Any, str]], **look: Any) -> Any:
    """Add a legend to a figure or axes; names are shown literally, also those that start with _.

    entries: pairs of an artist and its name.
    """
    numbers = [str(number) for number in range(len(entries))]
    legend = place.legend([artist for artist, _ in entries], numbers, **look)
    for text, (artist, name) in zip(legend.get_texts(), entries, strict=True):
        artist.set_label(name)
        text.set(text=name, **LITERAL)
    return legend


def add_note(figure: Any, note: str) -> None:
    """Write a note in small type at the bottom of a figure, if there is one."""
    if note:
        figure.supxlabel(note, fontsize=7, color="#717581", x=0.01, ha="left", wrap=True)
