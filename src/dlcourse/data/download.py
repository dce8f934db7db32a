"""Files of public data sets: found, verified, downloaded where missing."""

import hashlib
import os
import shutil
import sys
import tempfile
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
    """Make sure that ``folder`` holds every file named in ``md5``, whole.

    What is missing is downloaded into a folder aside, verified there and only then moved to its
    final name, so an interrupted download leaves nothing behind that looks like data.

    md5: the sum of every file; None where it is not known, and only the file's presence counts.
    download: fetches the set into the folder it is given and returns where the files then lie;
        None forbids it.
    also: files that are not asked for, but are kept if they come along with a download.

    Raises UserError where a file is damaged, or missing and not to be had.
    """
    try:
        missing = [file for file in md5 if not (folder / file).exists()]
        wrong = [
            file for file in md5 if file not in missing and not whole(folder / file, md5[file])
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
        aside = Path(tempfile.mkdtemp(prefix=".download-", dir=folder))
    except OSError as error:
        raise UserError(f"{name} cannot be downloaded to {folder}: {error}.\n{remedy}") from error
    try:
        print(f"Downloading {name} to {folder}", file=sys.stderr, flush=True)
        with live(lambda columns: ""):  # torchvision has a bar of its own
            fetched = download(aside)
        for file in missing:
            if not whole(fetched / file, md5[file]):
                raise UserError(f"The {file} that was downloaded is not the one that {name} has.")
        extra = [file for file in also if file not in md5 and (fetched / file).is_file()]
        for file in [*missing, *extra]:
            os.replace(fetched / file, folder / file)
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{name} is not in {folder} and could not be downloaded: {reason}\n{remedy}"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def whole(path: Path, md5: str | None) -> bool:
    """Return whether a file is there and, where its MD5 sum is known, has it."""
    return path.is_file() and (md5 is None or digest(path) == md5)


def digest(path: Path) -> str:
    """Return a file's MD5 sum, which is what the data sets' owners publish."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
