"""The errors that end a command, and suggestions for their messages."""

import os
import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher

MAX_SUGGESTIONS = 10  # suggestions in one message
CLOSE = 0.6  # similarity, of 1: about one letter in three differs


class Message(Exception):
    """An error whose text is all that a user needs."""

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython and Jupyter show: the text, without a traceback."""
        return [f"dlcourse.{type(self).__name__}: {self}"]


class UserError(Message):
    """Ends the command with one message, no traceback and exit status 2.

    Its text says what came, what is allowed and what to type.
    """


class DivergedError(Message):
    """Ends a run whose loss or weights are no longer finite, with exit status 1.

    only_val: only the validation loss is not finite, so that the epochs before it are valid.
    """

    only_val = False


class FileError(Message):
    """Ends a run or a command that the system refuses a file, because the disk is full for example.

    status: the exit status: 1 for a run that has begun, and where the disk is full or broken.
    """

    status = 1


class OutOfMemoryError(Message):
    """Ends a run that needs more memory than there is, with exit status 1."""


class RankError(Message):
    """Ends a run on several devices after one of its processes has ended, with exit status 1."""


class LostRankError(Exception):
    """The connection to another rank of the run has ended; that rank knows the reason."""


class PrunedError(Exception):
    """Ends a trial that the sweep has pruned."""


class OwnCodeError(Exception):
    """Ends a run after an error that involves the user's own code, with exit status 1."""


def nearest(name: str, known: Iterable[str], close: Iterable[str] | None = None) -> str:
    """Return a hint about an unknown name: which known ones it may mean, and the ten most similar.

    ``nearest("lenett", ["lenet", "mlp"])`` is ``"did you mean lenet? Allowed: lenet, mlp"``, and
    ``nearest("x", ["lenet", "mlp"])`` is ``"allowed: lenet, mlp"``: it follows a semicolon.
    close: the names that may be meant, if the caller has chosen them.
    """
    known = sorted(set(known))
    if not known:
        return "nothing is allowed here"
    close = meant(name, known) if close is None else list(close)
    others = by_likeness(name, set(known) - set(close))
    listed = known if len(known) <= MAX_SUGGESTIONS else [*close, *others][:MAX_SUGGESTIONS]
    more = f" and {len(known) - MAX_SUGGESTIONS} more" if len(known) > MAX_SUGGESTIONS else ""
    question = did_you_mean(name, known, close)
    start = f"{question} Allowed" if question else "allowed"
    return f"{start}: {', '.join(listed)}{more}"


def not_there(typed: str, name: str, known: Mapping[str, str], key: str) -> str:
    """Return the message for an unknown name, which lists each known one with its line.

    typed: what came, ``what=filtres``. key: the option that takes the names; the list shows
    ``what=filters`` and what it is.
    """
    question = f"; {did_you_mean(name, known)}" if meant(name, known) else "."
    return f"{typed} is not there{question} Allowed:\n{listed_lines(known, key)}"


def listed_lines(known: Mapping[str, str], key: str) -> str:
    """Return a line for each name: ``  what=filters  the weights of a convolution``."""
    width = max(map(len, known))
    return "\n".join(f"  {key}={name:{width}}  {line}" for name, line in known.items())


def did_you_mean(name: str, known: Iterable[str], close: Iterable[str] | None = None) -> str:
    """Return ``did you mean ...?``, or an empty string if no known name is similar."""
    close = meant(name, known) if close is None else close
    return f"did you mean {' or '.join(close)}?" if close else ""


def shown(name: object) -> str:
    r"""Return a file's name as text that can be encoded in UTF-8.

    Bytes that are not UTF-8, as in names from old archives, become ``\xe9``.
    """
    errors = "surrogatepass" if os.name == "nt" else "surrogateescape"  # as Python reads names
    try:
        return str(name).encode("utf-8", errors).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a character, from a file's content
        return str(name).encode("utf-8", "backslashreplace").decode("utf-8")


def meant(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Return at most ``most`` known names that may be meant, the most similar first.

    They are equal without case and punctuation or, if there are none, similar.
    """
    known = sorted(set(known))
    same = [other for other in known if bare(other) == bare(name)]
    if same:
        return same[:most]
    close = [other for other in by_likeness(name, known) if likeness(name, other) >= CLOSE]
    return close[:most]


def by_likeness(name: str, known: Iterable[str]) -> list[str]:
    """Return known names sorted by their similarity to one, the most similar first."""
    return sorted(sorted(known), key=lambda other: -likeness(name, other))


def likeness(name: str, other: str) -> float:
    """Return the similarity of two names, from 0 to 1."""
    return SequenceMatcher(None, bare(name)[:100], bare(other)).ratio()


def bare(name: str) -> str:
    """Return a name's letters and digits in lower case: ``lenet5`` for ``LeNet-5``."""
    return re.sub(r"[\W_]", "", name).lower()
