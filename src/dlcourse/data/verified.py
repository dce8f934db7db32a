"""Read the files of public data sets after their checksums were verified."""

import hashlib
import re
from pathlib import Path

from dlcourse import atomic_files
from dlcourse.data.public_files import PublicSet
from dlcourse.errors import UserError, shown

SUMS = "SHA256SUMS"  # in the folder of the files, as the program sha256sum writes and checks it
LINE_OF_SUMS = re.compile(r"([0-9a-f]{64}) [ *](.+)")


def read_verified(source: PublicSet, folder: Path, name: str) -> bytes:
    """Return the content of a file after its checksum was verified.

    The sum is the pinned one or, where none is published, the one that was stored in SHA256SUMS
    after the download. The bytes that are verified are the ones that are returned.

    Raises UserError for a damaged file.
    """
    known, path = source.file(name), folder / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unreadable(source.name, error) from error
    kind, expected = "SHA-256", known.sha256 or stored_sums(folder).get(name, "")
    found = hashlib.sha256(content).hexdigest() if expected else ""
    if not known.sha256 and known.md5:
        kind, expected = "MD5", known.md5
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != expected:
        raise damaged_file(path, f"its {kind} sum is {found} and should be {expected}")
    return content


def verify_folder(folder: Path) -> None:
    """Verify all files whose sums were stored after a download.

    Raises UserError for one that is damaged or missing.
    """
    for name, expected in stored_sums(folder).items():
        try:
            found = sum_of_file(folder / name)
        except OSError as error:
            raise damaged_file(folder / name, str(error)) from error
        if found != expected:
            raise damaged_file(
                folder / name, f"its SHA-256 sum is {found} and should be {expected}"
            )


def unreadable(name: str, error: OSError) -> UserError:
    """Return the error for files that may not be read."""
    return UserError(
        f"{name} cannot be read: {shown(error)}.\n"
        "Give yourself the right to read it, or type data.root=<another folder>"
    )


def damaged_file(path: Path, reason: str) -> UserError:
    """Return the error for a damaged file."""
    return UserError(
        f"{shown(path)} is damaged: {shown(reason)}.\n"
        "Delete it, and the next start downloads it again"
    )


def stored_sums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 sums that were stored after a download, by file; none if unreadable."""
    try:
        lines = (folder / SUMS).read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    found = [LINE_OF_SUMS.fullmatch(line) for line in lines]
    return {match[2]: match[1] for match in found if match}


def store_sums(folder: Path, sums: dict[str, str]) -> None:
    """Add sums to those that are stored in a folder."""
    both = stored_sums(folder) | sums
    lines = [f"{value}  {name}\n" for name, value in sorted(both.items())]
    atomic_files.write_text(folder / SUMS, "".join(lines))


def sum_of_file(path: Path) -> str:
    """Return a file's SHA-256 sum."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
