"""Find, verify and download the files of public data sets."""

import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from dlcourse.errors import UserError
from dlcourse.terminal.live_line import live


def ensure_files(
    name: str,
    folder: Path,
    md5: Mapping[str, str | None],
    download: Callable[[Path], Path] | None,
    also: Iterable[str] = (),
) -> None:
    """Make sure that ``folder`` holds every file named in ``md5``, undamaged.

    Missing files are downloaded into a temporary folder, verified there and only then moved to
    their final names, so that an interrupted download leaves nothing that looks like data.

    name: of the data set, for messages.
    md5: the MD5 sum of every file; None if it is not known: then the file only has to exist.
    download: downloads the set into the given folder and returns the folder with the files; None
        forbids a download.
    also: further files to keep if the download includes them.

    Raises UserError for a damaged file, and for missing files that cannot be downloaded.
    """
    try:
        missing = [file for file in md5 if not (folder / file).exists()]
        wrong = [
            file for file in md5 if file not in missing and not is_intact(folder / file, md5[file])
        ]
    except OSError as error:
        raise UserError(
            f"{name} cannot be read: {error}.\n"
            "Give yourself the right to read it, or type data.root=<another folder>"
        ) from error
    for file in wrong:
        raise UserError(
            f"{folder / file} is damaged: its MD5 sum is not {md5[file]}.\n"
            "Delete it, and the next start downloads it again"
        )
    if not missing:
        return
    remedy = (
        f"Put {', '.join(missing)} there, type data.root=<folder> or set DLCOURSE_DATA, "
        "or take data=digits, which needs no download"
    )
    if download is None:
        raise UserError(f"{name} is not in {folder}, and data.download is false.\n{remedy}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))
    except OSError as error:
        raise UserError(f"{name} cannot be downloaded to {folder}: {error}.\n{remedy}") from error
    try:
        print(f"Downloading {name} to {folder}", file=sys.stderr, flush=True)
        with live(lambda columns: ""):  # torchvision shows a progress bar of its own
            downloaded = download(temporary)
        for file in missing:
            if not is_intact(downloaded / file, md5[file]):
                raise UserError(f"The downloaded {file} has another MD5 sum than that of {name}.")
        extra = [file for file in also if file not in md5 and (downloaded / file).is_file()]
        for file in [*missing, *extra]:
            os.replace(downloaded / file, folder / file)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{name} is not in {folder} and could not be downloaded: {reason}\n{remedy}"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def ensure_folder(name: str, folder: Path, address: str | None) -> None:
    """Make sure that a folder exists; else download the ZIP archive that holds it.

    The archive is unpacked in a temporary folder next to it, which is renamed at the end, so that
    an interrupted download leaves nothing that looks like data.

    name: of the data set, for messages. address: of the archive; None forbids a download.

    Raises UserError if the folder is missing and cannot be downloaded.
    """
    if folder.is_dir():
        return
    remedy = (
        f"Unpack the archive so that {folder} exists, type data.root=<folder> or set "
        "DLCOURSE_DATA, or take data=digits, which needs no download"
    )
    if address is None:
        raise UserError(f"{name} is not in {folder}, and data.download is false.\n{remedy}")
    from torchvision.datasets.utils import download_and_extract_archive  # 1 s

    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder.parent) as temporary:
            print(f"Downloading {name} to {folder}", file=sys.stderr, flush=True)
            with live(lambda columns: ""):  # torchvision shows a progress bar of its own
                download_and_extract_archive(address, temporary)
            os.replace(Path(temporary, folder.name), folder)
    except (OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{name} is not in {folder} and could not be downloaded: {reason}\n{remedy}"
        ) from error


def is_intact(path: Path, md5: str | None) -> bool:
    """Return whether a file exists and, if its MD5 sum is known, matches it."""
    return path.is_file() and (md5 is None or md5_of(path) == md5)


def md5_of(path: Path) -> str:
    """Return a file's MD5 sum, the checksum that the data sets' authors publish."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
