"""Find the files of public data sets, or download the archives that hold them."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import filelock

from dlcourse.data.cache import CACHE_FOLDER
from dlcourse.data.fetch import FetchError, StorageError, fetch
from dlcourse.data.place_files import fresh_folder, unpack_files, unpacked
from dlcourse.data.public_files import MIB, Archive, PublicSet
from dlcourse.data.unpack import Target
from dlcourse.data.verified import damaged_file, store_sums, sum_of_file, unreadable
from dlcourse.errors import UserError, shown
from dlcourse.terminal.live_line import bar, duration, fitting, live, on_terminal, working
from dlcourse.terminal.refused import what_is_refused

MOST_IMAGE_BYTES = MIB  # of a file in an archive of images
SECONDS_BETWEEN_LINES = 60  # if stdout is not a terminal


def ensure_files(
    source: PublicSet, root: Path, folder: Path, needed: Iterable[str], *, download: bool
) -> None:
    """Make sure that ``folder`` has the needed files of a data set; they are not verified.

    Missing files are unpacked from an archive that lies in ``folder`` or in ``root``, or from one
    that is downloaded, verified, unpacked in a temporary folder and only then moved to their final
    names, so that an interrupted download leaves nothing that looks like data.

    Raises UserError for missing files that cannot be had.
    """
    needed = tuple(needed)
    if not missing_files(source, folder, needed):
        return
    if not download:
        refuse_download(source, archives_of(source, folder, needed), root, folder)
    with only_one_process(source.name, root, folder):
        archives = archives_of(source, folder, needed)
        for archive, path in found_archives(source, archives, root, folder):
            unpack_files(source, archive, path, folder)


def missing_files(source: PublicSet, folder: Path, needed: Iterable[str]) -> list[str]:
    """Return the needed files that do not exist."""
    try:
        return [file for file in needed if not (folder / file).exists()]
    except OSError as error:
        raise unreadable(source.name, error) from error


def archives_of(source: PublicSet, folder: Path, needed: Iterable[str]) -> list[Archive]:
    """Return the archives that have the needed files that do not exist."""
    missing = set(missing_files(source, folder, needed))
    return [one for one in source.archives if missing & set(one.members.values())]


def refuse_download(
    source: PublicSet, archives: Sequence[Archive], root: Path, folder: Path
) -> None:
    """Raise UserError for archives that nobody has put there, if none may be downloaded."""
    remote = [one for one in archives if place_by_hand(one, root, folder) is None]
    if remote:
        raise cannot_have(source.name, remote, folder, root, "data.download is false")


@contextmanager
def only_one_process(name: str, root: Path, folder: Path) -> Iterator[None]:
    """Keep other processes from downloading the same set while the block runs.

    Raises UserError if the folder cannot be written to.
    """
    lock = filelock.FileLock(workplace(root) / f"{name}.lock")
    try:
        workplace(root).mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            print(f"Another process is downloading {name}; waiting for it", file=sys.stderr)
            with working(f"waiting for the download of {name}", plain=False):
                lock.acquire()
    except OSError as error:
        raise UserError(
            f"{name} is not complete in {shown(folder)}, and it cannot be written there: "
            f"{what_is_refused(error)}.\nType data.root=<a folder that you may write to>, or take "
            "data=digits, which needs no download"
        ) from error
    try:
        yield
    finally:
        lock.release()


def workplace(root: Path) -> Path:
    """Return the folder of unfinished downloads and their locks."""
    return root / CACHE_FOLDER / "downloads"


def found_archives(
    source: PublicSet, archives: Sequence[Archive], root: Path, folder: Path
) -> Iterator[tuple[Archive, Path]]:
    """Yield each archive with its path: where a user has put it, or where it was downloaded.

    A downloaded archive is removed afterwards.
    """
    places = [put_by_hand(source, one, root, folder) for one in archives]
    remote = [one for one, place in zip(archives, places, strict=True) if place is None]
    check_space(source.name, remote, root)
    if remote:
        size = sum(one.size for one in remote) / 1e6
        print(f"Downloading {source.name} ({size:,.1f} MB) to {shown(folder)}", file=sys.stderr)
    for archive, place in zip(archives, places, strict=True):
        if place is not None:
            yield archive, place
            continue
        try:
            path = downloaded(source.name, archive, root)
        except FetchError as error:
            raise cannot_have(source.name, remote, folder, root, f"{shown(error)}") from error
        yield archive, path
        path.unlink(missing_ok=True)


def place_by_hand(archive: Archive, root: Path, folder: Path) -> Path | None:
    """Return where a file with the name of an archive lies, None if there is none."""
    path = folder / archive.name
    if path.is_file():
        return path
    path = root / archive.name  # the files of other sets may have the same name
    return path if path.is_file() and path.stat().st_size == archive.size else None


def put_by_hand(source: PublicSet, archive: Archive, root: Path, folder: Path) -> Path | None:
    """Return where an archive lies already, None if it does not.

    Its checksum must be right, unless those of all its files are known, which are verified next.

    Raises UserError for a file that is not the archive.
    """
    path = place_by_hand(archive, root, folder)
    inside = [source.file(name) for name in archive.members.values()]
    if path is None or (inside and all(file.sha256 or file.md5 for file in inside)):
        return path
    found = sum_of_file(path)
    if found != archive.sha256:
        raise damaged_file(path, f"its SHA-256 sum is {found} and should be {archive.sha256}")
    return path


def check_space(name: str, archives: Sequence[Archive], root: Path) -> None:
    """Raise UserError if the disk has too little room for archives and what is in them."""
    needed = sum(archive.size + archive.unpacked for archive in archives)
    free = shutil.disk_usage(root).free
    if needed > free:
        raise UserError(
            f"{name} needs up to {needed / 1e6:,.0f} MB on the disk of {shown(root)}, and "
            f"{free / 1e6:,.0f} MB are free.\nMake room, or type data.root=<a folder on another "
            "disk>"
        )


def cannot_have(
    name: str, archives: Sequence[Archive], folder: Path, root: Path, reason: str
) -> UserError:
    """Return the error for archives that cannot be downloaded, with what to do by hand."""
    kept = "" if reason.startswith("data.") else "Try again: what has come is kept. Or put"
    listed = "\n".join(
        f"  {one.name}  {one.size:,} bytes  SHA-256 {one.sha256}\n    from {one.addresses[0]}"
        for one in archives
    )
    return UserError(
        f"{name} is not in {shown(folder)} and could not be downloaded: {reason}.\n"
        f"{kept or 'Put'} these files into {shown(folder)}, and the next start unpacks them:\n"
        f"{listed}\n"
        "Or type data.root=<folder> or set DLCOURSE_DATA if you have them elsewhere, or take "
        "data=digits, which needs no download"
    )


def downloaded(name: str, archive: Archive, root: Path) -> Path:
    """Download an archive with progress; return its path.

    The bytes of an interrupted download are kept for the next one, except on a full disk.
    """
    target = workplace(root) / name / f"{archive.name}.part"
    target.parent.mkdir(parents=True, exist_ok=True)
    with download_line(f"{name}: {archive.name}", archive.size) as report:
        try:
            fetch(archive, target, report)
        except StorageError as error:
            target.unlink(missing_ok=True)
            raise UserError(
                f"{name} cannot be downloaded: {what_is_refused(error.error)}.\n"
                "Make room, or type data.root=<a folder on another disk>"
            ) from error
    return target


@contextmanager
def download_line(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a download's progress; yield a function that gets the number of bytes so far.

    In a terminal it is a line at the bottom; else a line is printed every minute.
    """
    started = last = monotonic()
    done = 0

    def line(width: int) -> str:
        passed = duration(monotonic() - started)
        counted = f"{done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
        return fitting([what, counted, bar(done / total), passed], width)

    def report(size: int) -> None:
        nonlocal done, last
        done = size
        if not on_terminal() and monotonic() - last > SECONDS_BETWEEN_LINES:
            last = monotonic()
            print(line(200), file=sys.stderr, flush=True)

    with live(line):
        yield report


def ensure_folder(
    name: str, root: Path, folder: str, archive: Archive, pattern: re.Pattern, *, download: bool
) -> None:
    """Make sure that ``root`` has a folder; else unpack it from an archive with very many files.

    As with ``ensure_files`` the archive may lie in ``root``. It is unpacked in a temporary folder,
    of which the whole folder is moved at the end, with the SHA-256 sums of all its files.

    folder: its name in ``root`` and in the archive. pattern: of the members that are read, each
        at most MOST_IMAGE_BYTES.

    Raises UserError if the folder is missing and cannot be had.
    """
    if (root / folder).is_dir():
        return

    def wanted(member: str) -> Target | None:
        return Target(member, MOST_IMAGE_BYTES) if pattern.fullmatch(member) else None

    source = PublicSet(name, folder, (), (archive,))
    if not download:
        refuse_download(source, [archive], root, root)
    with only_one_process(name, root, root):
        if (root / folder).is_dir():  # made by another process
            return
        for one, path in found_archives(source, [archive], root, root):
            with fresh_folder(name, root) as temporary:
                sums = unpacked(one, path, wanted, temporary)
                if not (temporary / folder).is_dir():
                    raise damaged_file(path, f"it has no folder {folder}")
                inside = {member.removeprefix(f"{folder}/"): sums[member] for member in sums}
                store_sums(temporary / folder, inside)
                os.replace(temporary / folder, root / folder)
