"""What a user is told when a command cannot be carried out."""

import os
from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Ends the command with one message, no traceback and exit status 2.

    Its text says what came, what is allowed and what to type.
    """


class DivergedError(Exception):
    """Ends a run whose loss or weights are no longer finite, with exit status 1.

    only_val: the weights and the training loss are finite, so that the epochs before count.
    """

    only_val = False


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which of the known words the given one may have meant, or list them all.

    ``nearest("lenett", ["lenet", "mlp"])`` is ``"did you mean lenet? Allowed: lenet, mlp"``.
    """
    known = sorted(known)
    allowed = f"Allowed: {', '.join(known)}" if 0 < len(known) <= 40 else ""
    return " ".join(part for part in (did_you_mean(word, known), allowed) if part)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Say which of the known words the given one may have meant, or nothing."""
    close = get_close_matches(word, known, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else ""


def shown(name: object) -> str:
    r"""Return a file's name as text that every file and screen in UTF-8 takes.

    Bytes that are not UTF-8, as old archives have them, become ``\xe9``.
    """
    errors = "surrogatepass" if os.name == "nt" else "surrogateescape"  # as Python reads names
    return str(name).encode("utf-8", errors).decode("utf-8", "backslashreplace")
