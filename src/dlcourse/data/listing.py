"""Which pictures lie in a folder with one folder per class."""

import hashlib
from pathlib import Path

from dlcourse.error import UserError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
READY = {"val": ("val", "valid", "validation"), "test": ("test",)}  # names of their folders


def list_pictures(top: Path) -> dict[str, list[Path]]:
    """Return the pictures of each part, ``train``, ``val`` and ``test`` as far as there, sorted.

    Raises UserError for a folder without two classes, for a class without a picture, and for a
    class that the training part has not.
    """
    if not top.is_dir():
        raise UserError(
            f"The picture folder {top} is not there.\n"
            "Type data.root=<folder>, a folder with one folder of pictures per class"
        )
    parts = {"train": top}
    if any(path.is_dir() for path in (top / "train").glob("*")):
        parts = {"train": top / "train"}
        ready = [(part, top / name) for part, names in READY.items() for name in names]
        parts |= {part: where for part, where in ready if where.is_dir()}
    listing = {part: _pictures(where) for part, where in parts.items()}
    for part, where in parts.items():
        _check(part, where, listing)
    return listing


def _pictures(where: Path) -> list[Path]:
    return sorted(
        path
        for path in where.glob("[!.]*/[!.]*")
        if path.suffix.lower() in SUFFIXES and path.is_file()
    )


def _check(part: str, where: Path, listing: dict[str, list[Path]]) -> None:
    classes = {path.parent.name for path in listing[part]}
    empty = {path.name for path in where.glob("[!.]*") if path.is_dir()} - classes
    if empty:
        raise UserError(
            f"{where} has folders without a picture: {', '.join(sorted(empty))}.\n"
            "Remove them or put pictures there; a folder is a class, its name the class's name"
        )
    if part == "train" and len(classes) < 2:
        raise UserError(
            f"{where} has {len(classes)} classes of pictures, and at least 2 are needed.\n"
            "Type data.root=<folder>, a folder with one folder of pictures per class"
        )
    strange = classes - {path.parent.name for path in listing["train"]}
    if strange:
        raise UserError(
            f"{where} has classes that the training part has not: "
            f"{', '.join(sorted(strange))}.\nAdd pictures of them to the training part"
        )


def fingerprint(listing: dict[str, list[Path]]) -> str:
    """Return a word that changes when a picture is added, removed, renamed or written to."""
    digest = hashlib.sha256()
    for part, paths in listing.items():
        for path in paths:
            status = path.stat()
            digest.update(f"{part}\0{path.parent.name}\0{path.name}\0".encode())
            digest.update(f"{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]
