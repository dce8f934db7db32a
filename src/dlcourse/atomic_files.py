"""Write files atomically (temporary file, flush, rename) and verify them when read."""

import io
import json
import math
import os
import platform
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import IO, Any

KEPT_BELOW = 2**26  # bytes of a file that is never kept in memory to be written later
_later: ContextVar[list[Callable[[], None]] | None] = ContextVar("later", default=None)


class DamagedFileError(Exception):
    """The file is incomplete or its bytes have changed since it was written."""


def write(path: Path, fill: Callable[[IO[bytes]], Any], *, durable: bool = True) -> None:
    """Write ``path`` so that after a crash at any moment it holds the old content or the new.

    ``fill`` gets a temporary binary file in the same folder, which is flushed and then renamed.
    Raises OSError, leaving the old file as it was.

    durable: whether to wait until the disk has it. Without, which is for files that can be made
        again, such as plots, the file may be lost or empty after a power failure.
    """
    # two machines that share a disk may have processes of the same number
    temporary = path.with_name(f".{path.name}.{platform.node()[:40]}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            fill(file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if durable and os.name == "posix":  # the new name itself is durable once its folder is flushed
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


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


def save_checked(path: Path, content: dict) -> None:
    """Save tensors, numbers, strings, lists and dicts of them with the guarantee of ``write``.

    Within ``written_later`` a small file is not written yet.
    """
    import torch  # here, so that writing text does not wait for it

    later, content = _later.get(), compact(content, {})
    if later is None:
        write(path, lambda file: torch.save(content, file))
        return
    memory = io.BytesIO()
    torch.save(content, memory)
    writing = partial(write, path, lambda file: file.write(memory.getbuffer()))
    if memory.tell() < KEPT_BELOW:
        later.append(writing)
    else:
        for earlier in (*later, writing):
            earlier()
        later.clear()


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
        with np.load(path) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile and numpy raise many types for wrong bytes
        raise damaged(path, error) from error


def load_checked(path: Path) -> dict:
    """Read what ``save`` wrote, after every byte was checked against its checksum.

    ``torch.load`` does not check the CRC-32 sums in its files, so a flipped bit would become part
    of a weight. Code in the file is never run (``weights_only=True``).

    Raises FileNotFoundError, or DamagedFileError with the file's name.
    """
    import torch

    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
        if bad is not None:
            raise DamagedFileError(f"{path} is damaged: the checksum of {bad} is wrong")
        return torch.load(path, map_location="cpu", weights_only=True)
    except (FileNotFoundError, DamagedFileError):
        raise
    except Exception as error:  # zipfile, pickle and torch raise many types for wrong bytes
        raise damaged(path, error) from error


def damaged(path: Path, error: Exception) -> DamagedFileError:
    """Return the error of a file that cannot be read, with the reason in one line."""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DamagedFileError(f"{path} is damaged or not one of dlcourse's ({reason})")
