"""Read CIFAR's pickles without running what a pickle may name.

A pickle is a program: it names functions, which the reader calls. Here the three names that an
array of NumPy needs stand for objects of this module, which only collect an array's bytes; every
other name is refused. Reference: https://docs.python.org/3/library/pickle.html, "Restricting
globals".
"""

import io
import math
import pickle
import pickletools
from typing import Any

import numpy as np

MOST_PLACES = 2**20  # CIFAR-100 has two for each of its 50,000 images


class ForeignPickleError(Exception):
    """A pickle names something else than arrays of bytes, or is damaged."""


def load_plain(content: bytes) -> Any:
    """Return the dicts, lists, tuples, texts, numbers and arrays of uint8 in a pickle.

    Raises ForeignPickleError for all other content.
    """
    try:
        check_places(content)
        return with_arrays(PlainUnpickler(io.BytesIO(content), encoding="latin1").load())
    except ForeignPickleError:
        raise
    except Exception as error:  # the unpickler raises many kinds for wrong bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ForeignPickleError(f"it is no pickle of plain data ({reason:.200})") from error


def check_places(content: bytes) -> None:
    """Refuse a pickle that keeps a value at a very high place: memory is taken for all below it."""
    for opcode, place, _ in pickletools.genops(content):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= int(place) < MOST_PLACES:  # type: ignore[arg-type]
            raise ForeignPickleError(f"it keeps a value at place {place:,}")


class Fixed:
    """Has no attributes that a pickle could set."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        raise ForeignPickleError("it changes an object that it did not make")


class ArrayClass(Fixed):
    """Stands for ``numpy.ndarray``, which is only passed on."""

    __slots__ = ()


class ByteType(Fixed):
    """Stands for a ``numpy.dtype`` of uint8."""

    __slots__ = ()

    def __setstate__(self, state: Any) -> None:
        """Ignore the byte order, which a byte does not have."""


class MakeType(Fixed):
    """Stands for ``numpy.dtype``; called with a name, it returns the type."""

    __slots__ = ()

    def __call__(self, name: Any, *_: Any) -> ByteType:
        if name != "u1":
            raise ForeignPickleError(f"it has an array of {name!r:.50}, not of bytes")
        return ByteType()


class MakeArray(Fixed):
    """Stands for NumPy's function that makes an empty array to be filled."""

    __slots__ = ()

    def __call__(self, kind: Any, *_: Any) -> "StoredArray":
        if not isinstance(kind, ArrayClass):
            raise ForeignPickleError("it makes an array of another class than NumPy's")
        return StoredArray()


class StoredArray:
    """An array of uint8 as a pickle has it; ``array`` is None until it is filled."""

    __slots__ = ("array",)

    def __init__(self) -> None:
        self.array: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        """Take the array from its version, shape, type, order of axes and bytes."""
        _, shape, kind, columns_first, content = state
        if isinstance(content, str):  # the bytes of Python 2
            content = content.encode("latin1")
        right = isinstance(kind, ByteType) and isinstance(content, bytes)
        if not right or min(shape, default=0) < 0 or math.prod(shape) != len(content):
            raise ForeignPickleError(f"it has an array {shape!r:.50} without its bytes")
        array = np.frombuffer(content, np.uint8)
        self.array = array.reshape(shape, order="F" if columns_first else "C")


STAND_INS = {
    ("numpy", "ndarray"): ArrayClass,
    ("numpy", "dtype"): MakeType,
    ("numpy.core.multiarray", "_reconstruct"): MakeArray,
    ("numpy._core.multiarray", "_reconstruct"): MakeArray,
}


class PlainUnpickler(pickle.Unpickler):
    """Finds only the names in STAND_INS, each as a new object that nothing else shares."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the object that stands for a name; raises ForeignPickleError for others."""
        if (module, name) not in STAND_INS:
            raise ForeignPickleError(f"it calls {module}.{name}"[:200])
        return STAND_INS[module, name]()

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to objects outside the file."""
        raise ForeignPickleError("it refers to an object outside the file")


def with_arrays(content: Any) -> Any:
    """Return the content with arrays in the place of the objects that collected them."""
    if not isinstance(content, dict):
        raise ForeignPickleError(f"it holds a {type(content).__name__} and not a dict")
    found = {}
    for key, value in content.items():
        if isinstance(value, StoredArray):
            if value.array is None:
                raise ForeignPickleError("it has an array without its bytes")
            value = value.array
        if not isinstance(value, np.ndarray | list | tuple | str | bytes | int | float | None):
            raise ForeignPickleError(f"its entry {key!r:.50} is a {type(value).__name__}")
        found[key] = value
    return found
