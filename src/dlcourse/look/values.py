"""Convert the options ``class`` and ``images`` of ``dlcourse look``, before torch is imported."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError, nearest, shown

MOST_IMAGES = 64


def class_number(text: str, result: Mapping[str, Any], key: str = "class") -> int:
    """Return the number of a class that is typed as its name or its number.

    key: the option's name, for messages. Raises UserError, with a list of the classes.
    """
    classes = result["classes"]
    if not classes:
        raise UserError(
            f"{key}={text} does not exist: {result['data']} has no classes.\nLeave {key} out"
        )
    if text in classes:
        return classes.index(text)
    if text.isdecimal() and int(text) < len(classes):
        return int(text)
    raise UserError(
        f"{key}={text} is not there; {nearest(text, classes)}\n"
        f"Type {key}=<name>, or {key}=<number from 0 to {len(classes) - 1}>"
    )


def images_in(text: str, result: Mapping[str, Any]) -> tuple[int | Path, ...]:
    """Return the numbers of test examples, or the files, that ``images=`` names.

    text: ``3,17``, ``0-5``, ``a.png,b.png`` or a folder. Raises UserError for files that do not
    exist, for a folder without images, and for numbers that the test part does not have.
    """
    if len(result["input_shape"]) != 3:
        raise UserError(
            f"images={text} does not fit: the run was trained on {result['data']}, a table.\n"
            "Leave images out, or type examples=<number of test examples>"
        )
    whole = Path(text).expanduser()
    if whole.exists():
        found = files_in(whole)
    elif re.fullmatch(r"\d+(-\d+)?(,\s*\d+(-\d+)?)*", text):
        found = numbers_in(text, result)
    else:
        found = tuple(Path(name.strip()).expanduser() for name in text.split(","))
        missing = [path for path in found if not path.is_file()]
        if missing:
            raise UserError(
                f"The image {shown(missing[0])} does not exist.\n"
                "Type images=<file, folder, or numbers of test examples such as 3,17 or 0-5>"
            )
    if len(found) > MOST_IMAGES:
        raise UserError(
            f"images={text} names {len(found):,} images, and at most {MOST_IMAGES} are drawn.\n"
            "Name fewer"
        )
    return found


def numbers_in(text: str, result: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the numbers in ``3,17`` or ``0-5``, in the order typed."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        found += range(int(first), min(int(last or first), int(first) + 10 * MOST_IMAGES) + 1)
    total = result["examples"]["test"]
    if not found or max(found) >= total:
        raise UserError(
            f"images={text} is not there: the test examples are numbered from 0 to {total - 1:,}"
        )
    return tuple(found)


def files_in(place: Path) -> tuple[Path, ...]:
    """Return a file, or all images in a folder and its subfolders."""
    from dlcourse.data.scan import images_below

    if not place.is_dir():
        return (place,)
    found, _ = images_below(place)
    if not found:
        raise UserError(f"There is no image in {shown(place)}.\nType images=<file or folder>")
    return tuple(found)
