"""Find, verify, download and unpack the files of public data sets."""

import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import filelock

from dlcourse import atomic_files
from dlcourse.data.cache import CACHE_FOLDER
from dlcourse.data.fetch import FetchError, StorageError, fetch, size_of, sum_of_file
from dlcourse.data.public_files import MIB, Archive, File, PublicSet
from dlcourse.data.unpack import ArchiveError, Target, unpack
from dlcourse.errors import UserError, shown
from dlcourse.terminal.live_line import bar, duration, fitting, live, on_terminal, working
from dlcourse.terminal.refused import what_is_refused

SUMS = "SHA256SUMS"  # in the folder of the files, as the program sha256sum writes and checks it
LINE_OF_SUMS = re.compile(r"([0-9a-f]{64}) [ *](.+)")
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


def unreadable(name: str, error: OSError) -> UserError:
    """Return the error for files that may not be read."""
    return UserError(
        f"{name} cannot be read: {shown(error)}.\n"
        "Give yourself the right to read it, or type data.root=<another folder>"
    )


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
    total = size_of(path) / MIB
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
