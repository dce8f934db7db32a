"""Unpack the files of a data set from its archive, verify them and move them to their folder."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dlcourse.data.public_files import MIB, Archive, File, PublicSet
from dlcourse.data.unpack import ArchiveError, Target, unpack
from dlcourse.data.verified import SUMS, damaged_file, store_sums, stored_sums
from dlcourse.errors import UserError
from dlcourse.terminal.live_line import working
from dlcourse.terminal.refused import what_is_refused


def unpack_files(source: PublicSet, archive: Archive, path: Path, folder: Path) -> None:
    """Unpack an archive's files, verify them and move them to their folder.

    Files that are already there stay. Raises UserError for a file that is not what it should be,
    and if the disk has no room.
    """
    with fresh_folder(source.name, folder) as temporary:
        sums = unpacked(archive, path, lambda name: target_of(source, archive, name), temporary)
        for name in archive.members.values():
            if name in sums:
                check_unpacked(source.file(name), sums[name], temporary / name, path)
        unknown = {name: sums[name] for name in sums if not source.file(name).sha256}
        if unknown:
            store_sums(temporary, stored_sums(folder) | unknown)
            os.replace(temporary / SUMS, folder / SUMS)
        for name in sums:
            if not (folder / name).exists():
                os.replace(temporary / name, folder / name)
    missing = [name for name in archive.members.values() if name not in sums]
    if missing:
        raise damaged_file(path, f"it lacks {', '.join(missing)}")


def target_of(source: PublicSet, archive: Archive, member: str) -> Target | None:
    """Return where a member of an archive is written, None if it is not one of its files."""
    name = archive.members.get(member)
    return None if name is None else Target(name, source.file(name).size)


def check_unpacked(known: File, sha256: str, path: Path, archive: Path) -> None:
    """Raise UserError if an unpacked file has another checksum than the published one."""
    expected, found = known.sha256, sha256
    if not expected and known.md5:
        expected = known.md5
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
        found = digest.hexdigest()
    if expected and found != expected:
        raise damaged_file(archive, f"{known.name} in it has the sum {found}, not {expected}")


def unpacked(
    archive: Archive, path: Path, wanted: Callable[[str], Target | None], into: Path
) -> dict[str, str]:
    """Unpack an archive; raises UserError for one that is damaged or not safe."""
    total = path.stat().st_size / MIB
    with working(f"unpacking {archive.name}, {total:,.0f} MiB"):
        try:
            return unpack(path, archive.name, wanted, into, archive.unpacked)
        except ArchiveError as error:
            raise damaged_file(path, str(error)) from error


@contextmanager
def fresh_folder(name: str, folder: Path) -> Iterator[Path]:
    """Yield a new folder inside another; it is removed at the end, and earlier ones before.

    Raises UserError for an error of the disk.
    """
    for old in (*folder.glob(".download-*"), *folder.glob(".unpack-*")):  # of killed processes
        shutil.rmtree(old, ignore_errors=True)
    temporary = None
    try:
        temporary = Path(tempfile.mkdtemp(prefix=".unpack-", dir=folder))
        yield temporary
    except OSError as error:
        raise UserError(
            f"{name} cannot be unpacked: {what_is_refused(error)}.\n"
            "Make room, or type data.root=<a folder on another disk>"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
