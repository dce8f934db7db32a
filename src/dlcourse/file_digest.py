"""The last line of a file: the version of its format, and a digest of every byte before it.

``dlcourse file 2 sha256 <64 hexadecimal digits>``. PyTorch and ``zipfile`` ignore what follows the
end of a ZIP archive, so ``torch.load`` reads such a file as any other.
"""

import hashlib
import re
import zipfile
from pathlib import Path
from typing import IO, Any

FORMAT = 2  # the version that is written; files of version 1 have no last line
LAST_LINE = re.compile(rb"\ndlcourse file (\d{1,4}) (\w{1,16}) ([0-9a-f]{64})\n")
LENGTH = 100  # bytes that hold the last line of every version
IS_FOLDER = 0x10  # an attribute in a ZIP archive with which PyTorch does not read an entry
END_RECORD = b"PK\x05\x06"  # the first of the last 22 bytes of a ZIP archive without a comment
READ_AT_ONCE = 2**20  # bytes that are read at a time


class DamagedFileError(Exception):
    """The file is incomplete or its bytes have changed since it was written."""


class NewerFileError(DamagedFileError):
    """The file is whole and has a format that only a newer dlcourse can read."""


class DigestedFile:
    """A binary file that computes the digest of what is written to it.

    error: the first OSError of a write. PyTorch hides it behind one of its own.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.hash = hashlib.sha256()
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write bytes; returns their number."""
        try:
            written = self.file.write(data)
        except OSError as error:
            self.error = self.error or error
            raise
        self.hash.update(data)
        return written

    def flush(self) -> None:
        """Flush the file."""
        self.file.flush()

    def end(self) -> str:
        """Write the last line; return the digest."""
        self.write(f"\ndlcourse file {FORMAT} sha256 ".encode())
        digest = self.hash.hexdigest()
        self.file.write(f"{digest}\n".encode())
        return digest


def verify_digest(file: IO[bytes], path: Path) -> str | None:
    """Compare an open file with its last line, and return the digest; None if it has no such line.

    A file of version 1 has none. It is checked against the CRC-32 sums in it, which cover all but
    some bits of its headers.

    path: for messages. Raises DamagedFileError, and NewerFileError for a newer format.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - LENGTH))
    end = file.read()
    found = LAST_LINE.search(end)
    if found is None or found.end() != len(end):
        verify_archive(file, path)
        return None
    version, algorithm, digest = int(found[1]), found[2], found[3].decode()
    if algorithm == b"sha256":
        covered = size - len(digest) - 1
        if digest_of_start(file, covered) != digest:
            raise DamagedFileError(f"{path} is damaged: its bytes do not have the digest {digest}")
    if version > FORMAT:
        raise NewerFileError(
            f"{path} was written by a newer dlcourse: its format is {version}, and this one reads "
            f"formats up to {FORMAT}"
        )
    if algorithm != b"sha256":
        raise DamagedFileError(f"{path} is damaged: its last line names no known digest")
    return digest


def digest_of_start(file: IO[bytes], size: int) -> str:
    """Return the SHA-256 digest of the first ``size`` bytes of an open file."""
    made = hashlib.sha256()
    file.seek(0)
    while size > 0:
        chunk = file.read(min(READ_AT_ONCE, size))
        if not chunk:
            break
        made.update(chunk)
        size -= len(chunk)
    return made.hexdigest()


def verify_archive(file: IO[bytes], path: Path) -> None:
    """Check a ZIP archive without a last line; raises DamagedFileError."""
    with zipfile.ZipFile(file) as archive:
        bad = archive.testzip()
        folders = [one.filename for one in archive.infolist() if one.external_attr & IS_FOLDER]
    file.seek(-len(END_RECORD) - 18, 2)
    end = file.read()
    if bad is not None:
        raise DamagedFileError(f"{path} is damaged: the checksum of {bad} is wrong")
    if folders:
        raise DamagedFileError(f"{path} is damaged: {folders[0]} is marked as a folder")
    if not end.startswith(END_RECORD):
        raise DamagedFileError(f"{path} is damaged: other bytes follow the end of its archive")
