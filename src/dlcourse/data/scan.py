"""Find the images in a folder with one folder per class."""

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import PIL

from dlcourse.data.image_file import READER_VERSION, has_image_bytes
from dlcourse.errors import UserError, shown

SUFFIXES = {
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".jpx",
    ".pbm", ".pgm", ".pjp", ".pjpeg", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp",
}  # fmt: skip
READY = {"val": ("val", "valid", "validation"), "test": ("test",)}  # folder names of the parts
SYSTEM_FILES = {"desktop.ini", "thumbs.db"}  # written by Windows into image folders

Listing = dict[str, list[Path]]


def list_images(top: Path) -> tuple[Listing, str]:
    """Return the sorted images of ``train`` and, if they exist, of ``val`` and ``test``.

    The second value is one line that counts the files that are left out, or "".

    Raises UserError for a folder that cannot be read, for fewer than two classes, for a class
    without an image, and for a class that is missing from the training part.
    """
    if not os.path.isdir(top):
        raise UserError(
            f"The image folder {shown(top)} does not exist, or you have no right to read it.\n"
            "Type data.root=<folder>, a folder with one folder of images per class"
        )
    left_out: Counter[str] = Counter()
    try:
        parts = _parts(top, left_out)
        listing = {part: list(_images(where, left_out)) for part, where in parts.items()}
    except OSError as error:
        raise _unreadable(top, error) from error
    left_out_text = _left_out_text(top, left_out)
    for part, where in parts.items():
        _check(part, where, listing, left_out_text)
    return listing, left_out_text


def images_below(top: Path, known: Path | None = None) -> tuple[list[Path], str]:
    """Return the sorted images in a folder and its subfolders, and a line that counts other files.

    Hidden files and folders are skipped. known: a file that is not counted.

    Raises UserError for a folder that cannot be read.
    """
    left_out: Counter[str] = Counter()

    def below(folder: Path) -> Iterator[Path]:
        for entry in _visible(folder):
            path = folder / entry.name
            if entry.is_dir() and entry.is_symlink():  # it may be a cycle
                left_out["links to folders"] += 1
            elif entry.is_dir():
                yield from below(path)
            elif path != known and _is_accepted(entry, path, left_out):
                yield path

    try:
        found = sorted(below(top))
    except OSError as error:
        raise _unreadable(top, error) from error
    return found, _left_out_text(top, left_out)


def class_of(image: Path) -> str:
    """Return the name of an image's class: its folder's name in Unicode form NFC, printable."""
    return unicodedata.normalize("NFC", shown(image.parent.name))


def is_image(path: Path) -> bool:
    """Return whether a file is an image, by its suffix; without a suffix, by its first bytes."""
    if not path.suffix:
        return path.is_file() and has_image_bytes(path)
    return path.suffix.lower() in SUFFIXES


def _parts(top: Path, left_out: Counter[str]) -> dict[str, Path]:
    """Return the folders of the parts."""
    folders = [entry.name for entry in _visible(top) if entry.is_dir()]
    train = top / "train"
    if "train" not in folders or not any(entry.is_dir() for entry in _visible(train)):
        return {"train": top}
    ready = {part: name for part, names in READY.items() for name in names if name in folders}
    used = {"train", *ready.values()}
    left_out.update(f"folder {shown(name)}" for name in folders if name not in used)
    return {"train": train} | {part: top / name for part, name in ready.items()}


def _images(where: Path, left_out: Counter[str]) -> Iterator[Path]:
    """Yield the sorted images in the class folders of a part; count the files left out."""
    for folder in _visible(where):
        if folder.is_dir():
            yield from _images_of_a_class(where / folder.name, left_out)
        elif is_image(where / folder.name):
            left_out["images in no class folder"] += 1


def _images_of_a_class(folder: Path, left_out: Counter[str]) -> Iterator[Path]:
    for entry in _visible(folder):
        path = folder / entry.name
        if entry.is_dir():
            left_out["images in folders inside a class folder"] += _count(path)
        elif _is_accepted(entry, path, left_out):
            yield path


def _is_accepted(entry: os.DirEntry, path: Path, left_out: Counter[str]) -> bool:
    """Return whether a file is an image; count it if it is not."""
    accepted = entry.is_file() and is_image(path)
    if not entry.is_file():
        left_out["broken links or special files"] += 1
    elif not accepted:
        suffix = shown(path.suffix.lower())
        left_out[f"{suffix} files" if suffix else "files without a suffix"] += 1
    return accepted


def _left_out_text(top: Path, left_out: Counter[str]) -> str:
    counts = ", ".join(f"{count:,} {what}" for what, count in sorted(left_out.items()) if count)
    return counts and f"left out of {shown(top)}: {counts}"


def _unreadable(top: Path, error: OSError) -> UserError:
    return UserError(
        f"The image folder {shown(top)} cannot be read: {shown(error)}.\n"
        "Give yourself the right to read it, or name another folder"
    )


def _visible(folder: Path) -> list[os.DirEntry]:
    """Return the sorted entries of a folder without hidden files and system files."""
    with os.scandir(folder) as entries:
        seen = [entry for entry in entries if not entry.name.startswith(".")]
    return sorted(
        (entry for entry in seen if entry.name.lower() not in SYSTEM_FILES),
        key=lambda entry: entry.name,
    )


def _count(folder: Path) -> int:
    """Return the number of images in a folder and in the folders below it."""
    return sum(is_image(Path(at, name)) for at, _, names in os.walk(folder) for name in names)


def _check(part: str, where: Path, listing: Listing, left_out: str) -> None:
    also = f"\n{left_out}" if left_out else ""
    classes = {class_of(path) for path in listing[part]}
    folders = (entry.name for entry in _visible(where) if entry.is_dir())
    empty = {class_of(where / name / "image") for name in folders} - classes
    if empty:
        raise UserError(
            f"{shown(where)} has folders without an image: {', '.join(sorted(empty))}.{also}\n"
            "Remove them, or add images: every folder is a class"
        )
    if part == "train" and len(classes) < 2:
        raise UserError(
            f"{shown(where)} has {len(classes)} classes of images, and at least 2 are needed."
            f"{also}\nType data.root=<folder>, a folder with one folder of images per class"
        )
    unknown = classes - {class_of(path) for path in listing["train"]}
    if unknown:
        raise UserError(
            f"{shown(where)} has classes that are missing from the training part: "
            f"{', '.join(sorted(unknown))}.\nAdd images of them to the training part"
        )


def fingerprint(listing: Listing) -> str:
    """Return a text that changes when the images or the way to read them change.

    It depends on the names, sizes and times of all images, on READER_VERSION and on the version of
    Pillow.
    """
    digest = hashlib.sha256(f"{READER_VERSION}\0{PIL.__version__}\n".encode())
    for part, paths in listing.items():
        for path in paths:
            status = path.stat()
            digest.update(b"\0".join([part.encode(), *map(os.fsencode, path.parts[-2:])]))
            times = f"{status.st_mtime_ns}\0{status.st_ctime_ns}"  # a copy can keep mtime alone
            digest.update(f"\0{status.st_size}\0{times}\n".encode())
    return digest.hexdigest()[:16]
