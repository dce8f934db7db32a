"""Write files atomically (temporary file, flush, rename) and verify them when read."""

import io
import json
import math
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from dlcourse.file_digest import DamagedFileError, DigestedFile, verify_digest

TEMPORARY_FILE = re.compile(r"\..+\.(?P<machine>[^/]*)\.(?P<process>\d+)\.tmp")
ABANDONED = 24 * 3600.0  # seconds after which the temporary file of another machine is removed
KEPT_BELOW = 2**26  # bytes of a file that is never kept in memory to be written later
_later: ContextVar[list[Callable[[], None]] | None] = ContextVar("later", default=None)


def write(
    path: Path, fill: Callable[[IO[bytes]], Any], *, durable: bool = True, keep: Path | None = None
) -> None:
    """Write ``path`` so that after a crash at any moment it holds the old content or the new.

    ``fill`` gets a temporary binary file in the same folder, which is flushed and then renamed.
    Raises OSError with the name of the file, leaving the old file as it was.

    durable: whether to wait until the disk has it. Without, which is for files that can be made
        again, such as plots, the file may be lost or empty after a power failure.
    keep: the name that the old file gets, if there is one.
    """
    temporary = temporary_name(path)
    try:
        try:
            with open(temporary, "wb") as file:
                fill(file)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
            if keep is not None:
                keep_as(path, keep)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        if durable and os.name == "posix":  # a new name is durable once its folder is flushed
            flush_folder(path.parent)
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise


def temporary_name(path: Path) -> Path:
    """Return the name of the temporary file of this process for a file.

    Two machines that share a disk may have processes of the same number.
    """
    return path.with_name(f".{path.name}.{platform.node()[:40]}.{os.getpid()}.tmp")


def keep_as(path: Path, keep: Path) -> None:
    """Give a file a second name, so that the first can be replaced; nothing if there is no file.

    On file systems without hard links it is renamed: for a moment it has the second name alone.
    """
    temporary = temporary_name(keep)
    try:
        os.link(path, temporary)
        os.replace(temporary, keep)
    except FileNotFoundError:
        return
    except OSError:
        os.replace(path, keep)
    finally:
        temporary.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Wait until the disk has the names of the files in a folder (POSIX)."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of killed processes from a folder and the folders in it.

    Those of another machine are removed once they are a day old.
    """
    for path in folder.rglob(".*.tmp"):
        found = TEMPORARY_FILE.fullmatch(path.name)
        if found is None or path.is_dir():
            continue
        if found["machine"] == platform.node()[:40]:
            left = int(found["process"]) != os.getpid() and not is_running(int(found["process"]))
        else:
            left = time.time() - path.stat().st_mtime > ABANDONED
        if left:
            path.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Return whether a process of this machine exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_text(path: Path, text: str) -> None:
    """Write text as UTF-8 with the same guarantee as ``write``."""
    write(path, lambda file: file.write(text.encode()))


def write_json(path: Path, content: Any, **layout: Any) -> None:
    """Write JSON with the same guarantee as ``write``; see ``to_json``."""
    write_text(path, to_json(content, **layout) + "\n")


def to_json(content: Any, **layout: Any) -> str:
    """Return the content as JSON that every reader accepts.

    NaN and infinities, which JSON does not have, become null. Nothing else in dlcourse writes JSON.

    layout: as ``json.dumps`` takes it, ``indent=2``.
    """
    return json.dumps(with_null(content), allow_nan=False, **layout)


def with_null(content: Any) -> Any:
    """Return the content with None in place of every float that is not finite."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {key: with_null(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [with_null(value) for value in content]
    return content


def save_checked(path: Path, content: dict, keep: Path | None = None) -> str:
    """Save tensors, numbers, strings, lists and dicts of them with the guarantee of ``write``.

    Within ``written_later`` a small file is not written yet. keep: as in ``write``.
    Returns the digest of the file, which is also in its last line.
    """
    later, content = _later.get(), compact(content, {})
    if later is None:
        digests: list[str] = []
        write(path, lambda file: digests.append(fill_checked(file, content)), keep=keep)
        return digests[0]
    memory = io.BytesIO()
    digest = fill_checked(memory, content)
    writing = partial(write, path, lambda file: file.write(memory.getbuffer()), keep=keep)
    if memory.tell() < KEPT_BELOW:
        later.append(writing)
    else:
        for earlier in (*later, writing):
            earlier()
        later.clear()
    return digest


def fill_checked(file: IO[bytes], content: dict) -> str:
    """Write a content and the last line with its digest into an open file; return the digest."""
    import torch  # here, so that writing text does not wait for it

    digested = DigestedFile(file)
    try:
        torch.save(content, cast(IO[bytes], digested))
    except OSError as error:
        raise with_bytes(error, bytes_of(content)) from None
    except RuntimeError as error:  # PyTorch could not end the archive
        if digested.error is None:
            raise
        raise with_bytes(digested.error, bytes_of(content)) from error
    return digested.end()


def with_bytes(error: OSError, needed: int) -> OSError:
    """Return an error of writing with the bytes that were needed, for its message."""
    error.needed = needed  # pyright: ignore[reportAttributeAccessIssue]
    return error


def bytes_of(content: Any) -> int:
    """Return the bytes of the tensors in nested dicts and lists, each storage once."""
    import torch

    sizes: dict[int, int] = {}

    def add(part: Any) -> None:
        if isinstance(part, torch.Tensor):
            sizes[part.untyped_storage().data_ptr()] = part.untyped_storage().nbytes()
        elif isinstance(part, dict):
            for value in part.values():
                add(value)
        elif isinstance(part, list | tuple):
            for value in part:
                add(value)

    add(content)
    return sum(sizes.values())


def compact(content: Any, copies: dict) -> Any:
    """Return the content with a copy of every tensor that is part of a larger one.

    PyTorch would save all of the larger one. Equal parts, as an average of the weights that is the
    weights themselves, have one copy.
    """
    import torch

    if isinstance(content, dict):
        return {key: compact(value, copies) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)([compact(value, copies) for value in content])
    if not isinstance(content, torch.Tensor):
        return content
    if content.untyped_storage().nbytes() == content.numel() * content.element_size():
        return content
    place = content.data_ptr(), content.shape, content.stride(), content.dtype
    return copies.setdefault(place, content.clone())


@contextmanager
def written_later() -> Iterator[list[Callable[[], None]]]:
    """Let ``save_checked`` keep its files in memory; yield the list of functions that write them.

    The caller calls them in their order, perhaps those of several lists at the same time: most of
    the time of a small file is waiting for the disk.
    """
    writings: list[Callable[[], None]] = []
    token = _later.set(writings)
    try:
        yield writings
    finally:
        _later.reset(token)


def save_arrays(path: Path, **arrays: Any) -> None:
    """Save named arrays as ``.npz``, which numpy reads alone, with the guarantee of ``write``."""
    import numpy as np

    write(path, lambda file: np.savez(file, **arrays))


def load_arrays(path: Path) -> dict[str, Any]:
    """Read what ``save_arrays`` wrote; every byte is checked against its checksum.

    Raises FileNotFoundError, or DamagedFileError with the file's name.
    """
    import numpy as np

    try:
        with open(path, "rb") as file, np.load(file) as arrays:  # it leaves damaged files open
            found = dict(arrays)
        if not all(isinstance(array, np.ndarray) for array in found.values()):
            raise ValueError("it holds more than arrays")
        if not all(map(has_right_text, found.values())):
            raise ValueError("it holds text with characters that do not exist")
        return found
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile and numpy raise many types for wrong bytes
        raise damaged(path, error) from error


def has_right_text(array: Any) -> bool:
    """Return whether all characters of an array of text exist; true for any other array.

    NumPy does not check it, and Python ends in a SystemError with such a text.
    """
    if array.dtype.kind != "U" or not array.size or not array.itemsize:
        return True
    order = array.dtype.byteorder.replace("=", "").replace("|", "")
    points = array.reshape(-1).view(f"{order}u4")
    return int(points.max()) < 0x110000


def load_checked(path: Path, *, lazily: bool = False) -> dict:
    """Read what ``save_checked`` wrote, after its digest was checked.

    Only tensors, numbers, strings, lists and dicts are accepted: code in the file is never run
    (``weights_only=True``).

    lazily: read the tensors from the disk only where they are used.
    Raises FileNotFoundError, or DamagedFileError with the file's name.
    """
    return load_with_digest(path, lazily=lazily)[0]


def load_with_digest(path: Path, *, lazily: bool = False) -> tuple[dict, str | None]:
    """Read like ``load_checked``; also return the file's digest, None for a file of version 1."""
    import torch

    try:
        with open(path, "rb") as file:
            digest = verify_digest(file, path)
            file.seek(0)
            source = path if lazily else file
            content = torch.load(source, map_location="cpu", weights_only=True, mmap=lazily)
    except (FileNotFoundError, PermissionError, DamagedFileError):
        raise
    except Exception as error:  # zipfile, pickle and torch raise many types for wrong bytes
        raise damaged(path, error) from error
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise DamagedFileError(f"{path} is not one of dlcourse's: it holds a {kind} and not a dict")
    if kind := foreign_kind(content):
        raise DamagedFileError(f"{path} is not one of dlcourse's: it holds a {kind}")
    return content, digest


def foreign_kind(content: Any) -> str:
    """Return the kind of a value that dlcourse never saves, such as a sparse tensor; "" if none."""
    import torch

    if isinstance(content, torch.Tensor):
        plain = content.layout is torch.strided and content.device.type != "meta"
        return "" if plain and not content.is_quantized else "tensor without plain values"
    if isinstance(content, dict):
        return next(filter(None, map(foreign_kind, (*content, *content.values()))), "")
    if isinstance(content, list | tuple):
        return next(filter(None, map(foreign_kind, content)), "")
    known = isinstance(content, str | int | float | bytes | None)
    return "" if known else type(content).__name__


def damaged(path: Path, error: Exception) -> DamagedFileError:
    """Return the error of a file that cannot be read, with the reason in one line."""
    code = re.search(r"GLOBAL ([\w.]+)", str(error))
    if code is not None:
        return DamagedFileError(
            f"{path} is not one of dlcourse's: reading it would run {code[1]}, which is code, and "
            "code from a file is never run"
        )
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DamagedFileError(f"{path} is damaged or not one of dlcourse's ({reason})")
