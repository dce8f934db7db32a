"""Write measured parts into a document."""

import os
from pathlib import Path

from dlcourse.errors import UserError


def begin(name: str) -> str:
    """Return the comment before the part of a case."""
    return f"<!-- measured: {name} -->"


def end(name: str) -> str:
    """Return the comment after the part of a case."""
    return f"<!-- end: {name} -->"


def replace_part(text: str, name: str, title: str, part: str) -> str:
    """Return a document with one case's part replaced.

    A document without the case's comments gets them, under a heading, at its end.
    Raises UserError if one of the two comments is missing, or occurs twice.
    """
    first, last = begin(name), end(name)
    if text.count(first) != text.count(last) or text.count(first) > 1:
        raise UserError(
            f"The document should have {first} and {last} once each, or neither.\n"
            "Correct them, or remove both: then the part is written at the end"
        )
    block = f"{first}\n{part.strip()}\n{last}"
    if first not in text:
        return f"{text.rstrip()}\n\n## {title}\n\n{block}\n".lstrip()
    before, _, rest = text.partition(first)
    _, _, after = rest.partition(last)
    if first in after or last in before:
        raise UserError(f"{last} comes before {first} in the document.\nCorrect their order")
    return f"{before}{block}{after}"


def write_part(path: Path, name: str, title: str, part: str) -> None:
    """Write one case's part into a document, atomically."""
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        new = path.with_name(f".{path.name}.new")
        new.write_text(replace_part(text, name, title, part), encoding="utf-8")
        os.replace(new, path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be written: {error.strerror or error}.\nType write=<a file>"
        ) from error
