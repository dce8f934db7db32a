"""Read archives member by member: only expected files, to known sizes, below a fresh folder.

Nothing is extracted by the archive's own names: ``tarfile.extractall`` has let members out of its
folder in versions of Python that dlcourse supports (CVE-2025-4517, mended in 3.11.13).
"""

import gzip
import hashlib
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

BYTES_COPIED = 2**20
MOST_MEMBERS = 150_000  # Tiny ImageNet has 120,609
MOST_HEADER = 2**16  # bytes of a member's extended header
UNSAFE = re.compile(r"^[/\\~]|^[A-Za-z]:|\\|(^|/)\.\.(/|$)|[\x00-\x1f]")


class ArchiveError(Exception):
    """An archive is damaged or has a member that it must not have."""


class Target(NamedTuple):
    """Where a member is written: a path below the new folder, and its largest size in bytes."""

    path: str
    most: int


class ArchiveMember(NamedTuple):
    """A regular file of an archive, and a function that opens its content."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def unpack(
    path: Path, name: str, wanted: Callable[[str], Target | None], into: Path, most: int
) -> dict[str, str]:
    """Write the wanted members of an archive below a folder; return their SHA-256 sums by path.

    path: the archive; name: its real name, whose suffix says how it is packed.
    wanted: returns the target of a member by its name, None to skip it.
    into: an empty folder. most: the largest number of bytes of all members together.

    Raises ArchiveError for a damaged archive, and for one with names that lead out of a folder,
    links, devices, a member twice or in other case, or too many or too large ones.
    """
    sums: dict[str, str] = {}
    seen: set[str] = set()
    left = most
    try:
        for member in members(path, name, most):
            if len(seen) >= MOST_MEMBERS:
                raise ArchiveError(f"it has more than {MOST_MEMBERS:,} members")
            if member.name.casefold() in seen:
                raise ArchiveError(f"it has {member.name!r:.200} twice, perhaps in another case")
            seen.add(member.name.casefold())
            target = wanted(member.name)
            left -= member.size
            if left < 0:
                raise ArchiveError(f"it has more than {most:,} bytes unpacked")
            if target is not None:
                sums[target.path] = write_member(member, target, into)
    except ArchiveError:
        raise
    except Exception as error:  # zipfile, tarfile, gzip and zlib raise many kinds for wrong bytes
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ArchiveError(f"it is damaged ({reason:.200})") from error
    return sums


def write_member(member: ArchiveMember, target: Target, into: Path) -> str:
    """Write a member to its target; return its SHA-256 sum."""
    place = into / target.path
    place.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with member.open() as packed, open(place, "xb") as file:
        gzipped = member.name.endswith(".gz") and not target.path.endswith(".gz")
        source: Any = gzip.GzipFile(fileobj=packed) if gzipped else packed
        while block := source.read(BYTES_COPIED):
            size += len(block)
            if size > target.most:
                raise ArchiveError(f"{target.path} has more than {target.most:,} bytes unpacked")
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def members(path: Path, name: str, most: int) -> Iterator[ArchiveMember]:
    """Yield the regular files of an archive; that of a single file has the name ""."""
    if name.endswith(".zip"):
        yield from zip_members(path)
    elif name.endswith(".tar.gz"):
        yield from tar_members(path, most)
    elif name.endswith(".gz"):
        yield ArchiveMember("", 0, partial(gzip.open, path))  # type: ignore[arg-type]
    else:
        yield ArchiveMember("", 0, partial(open, path, "rb"))


def zip_members(path: Path) -> Iterator[ArchiveMember]:
    """Yield the regular files of a ZIP archive."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ArchiveError(f"{info.filename!r:.200} is a link or a special file")
            if info.flag_bits & 1:
                raise ArchiveError(f"{info.filename!r:.200} is encrypted")
            check_name(info.orig_filename)
            if not info.is_dir():
                yield ArchiveMember(
                    info.filename, info.file_size, lambda info=info: archive.open(info)
                )


def tar_members(path: Path, most: int) -> Iterator[ArchiveMember]:
    """Yield the regular files of a compressed tar archive, in their order."""
    with (
        gzip.open(path) as content,
        tarfile.open(fileobj=Limited(content, most), mode="r|", tarinfo=Header) as archive,  # type: ignore[call-overload]
    ):
        for number, info in enumerate(archive):
            if number >= MOST_MEMBERS:
                raise ArchiveError(f"it has more than {MOST_MEMBERS:,} members")
            check_name(info.name)
            if not (info.isreg() or info.isdir()) or info.issparse():
                raise ArchiveError(f"{info.name!r:.200} is a link or a special file")
            if info.isreg():
                yield ArchiveMember(
                    info.name, info.size, lambda info=info: opened_member(archive, info)
                )


def opened_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    """Open a regular file of a tar archive."""
    content = archive.extractfile(info)
    assert content is not None  # only of links and folders
    return content


def check_name(name: str) -> None:
    """Raise ArchiveError for a name that could lead out of a folder on some system."""
    if UNSAFE.search(name) or not name:
        raise ArchiveError(f"the name {name!r:.200} leads out of its folder or is not allowed")


class Limited:
    """Reads from a stream, at most ``most`` bytes and a share for headers."""

    def __init__(self, stream: Any, most: int) -> None:
        self.stream = stream
        self.most = most
        self.left = most + most // 8 + 2**20

    def read(self, count: int) -> bytes:
        """Return the next bytes; raises ArchiveError beyond the limit."""
        block = self.stream.read(count)
        self.left -= len(block)
        if self.left < 0:
            raise ArchiveError(f"it has more than {self.most:,} bytes unpacked")
        return block


class Header(tarfile.TarInfo):
    """A member's header; tarfile reads the extended ones into memory, however long they are."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type not in tarfile.SUPPORTED_TYPES and self.type not in (
            tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
        ):  # fmt: skip
            raise ArchiveError(f"{self.name!r:.200} is of an unknown kind")
        extended = self.type not in tarfile.REGULAR_TYPES
        if self.size < 0 or (extended and self.size > MOST_HEADER):
            raise ArchiveError(f"{self.name!r:.200} has {self.size:,} bytes")
        return super()._proc_member(archive)  # type: ignore[misc]
