"""Change valid content at random: bytes, the entries of ZIP archives, nested dicts and lists."""

import io
import math
import random
import struct
import warnings
import zipfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

TOKENS = (
    b"\x00", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff\xff\xff\x7f",
    b"NaN", b"Infinity", b"-1", b"1e999", b"0x10", b"9" * 400, b"\r\n", b"\r", b"\t", b'"', b"'",
    b"null", b"{}", b"[]", b"[" * 300, b"{" * 300, b"${oc.env:HOME}", b"${",
    b"!!python/name:os.system", b"&a [*a]", b"<<: *a",
    b"PK\x03\x04", b"PK\x05\x06", b"PK\x01\x02", b"../../x", b"\xe9",
    b"\xed\xa0\x80", b"\x1b[2J", "\u202e".encode(), "\ufeff".encode(), b"cos\nsystem\n", b".",
)  # fmt: skip
"""Bytes that readers have trouble with: ends, signs, huge numbers, code, wrong UTF-8, controls."""

VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 1.5, 2**31, 2**63, 10**400, -(10**30), 1e308, math.nan, math.inf,
    -math.inf, "", "x", "1", "nan", "../../x", "/", "\x00", "a\nb", "\x1b[2J", "\u202ex", "é",
    "x" * 5000, "${oc.env:HOME}", "os.system", [], {}, [[]], [None], [1, "a"], {"a": 1},
    {"": None}, {"_target_": "os.system"}, [{"a": []}] * 3, [0.5] * 100,
)  # fmt: skip
"""Values that take the place of others in nested content."""

Mutate = Callable[[random.Random, bytearray], None]


def mutated_bytes(draw: random.Random, seeds: Sequence[bytes]) -> bytes:
    """Return one of some valid contents, changed in one to eight places."""
    content = bytearray(draw.choice(seeds))
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        draw.choice(MUTATIONS)(draw, content)
    if draw.random() < 0.05:
        other = draw.choice(seeds)
        cut = draw.randint(0, len(content))
        content[cut:] = other[draw.randint(0, len(other)) :]
    return bytes(content)


def place_in(draw: random.Random, content: bytearray) -> int:
    """Return a position, more often near the start, where headers are, or near the end."""
    if not content:
        return 0
    kind = draw.random()
    if kind < 0.4:
        return draw.randrange(min(len(content), 128))
    if kind < 0.55:
        return len(content) - 1 - draw.randrange(min(len(content), 256))
    return draw.randrange(len(content))


def block_in(draw: random.Random, content: bytearray) -> slice:
    """Return a block of 1 to 512 bytes."""
    start = place_in(draw, content)
    return slice(start, start + draw.choice((1, 2, 4, 16, 64, 512)))


def flip_bit(draw: random.Random, content: bytearray) -> None:
    """Flip one bit."""
    if content:
        content[place_in(draw, content)] ^= 1 << draw.randrange(8)


def replace_byte(draw: random.Random, content: bytearray) -> None:
    """Replace one byte."""
    if content:
        content[place_in(draw, content)] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))


def cut_end(draw: random.Random, content: bytearray) -> None:
    """Cut the content at some length."""
    del content[place_in(draw, content) :]


def remove_block(draw: random.Random, content: bytearray) -> None:
    """Remove a block."""
    del content[block_in(draw, content)]


def insert_token(draw: random.Random, content: bytearray) -> None:
    """Insert one of the TOKENS."""
    place = place_in(draw, content)
    content[place:place] = draw.choice(TOKENS)


def overwrite_token(draw: random.Random, content: bytearray) -> None:
    """Write one of the TOKENS over what is there."""
    place, token = place_in(draw, content), draw.choice(TOKENS)
    content[place : place + len(token)] = token


def repeat_block(draw: random.Random, content: bytearray) -> None:
    """Insert a copy of a block at another place."""
    block, place = content[block_in(draw, content)], place_in(draw, content)
    content[place:place] = block * draw.choice((1, 1, 2, 20))


def swap_blocks(draw: random.Random, content: bytearray) -> None:
    """Exchange two blocks of equal length."""
    first, second = block_in(draw, content), place_in(draw, content)
    length = len(content[first])
    other = slice(second, second + length)
    if second >= first.stop and len(content[other]) == length:
        content[first], content[other] = content[other], content[first]


def zero_block(draw: random.Random, content: bytearray) -> None:
    """Set a block to zero, as a disk does after a power failure."""
    block = block_in(draw, content)
    content[block] = bytes(len(content[block]))


def replace_integer(draw: random.Random, content: bytearray) -> None:
    """Write an extreme integer of 2, 4 or 8 bytes, in either byte order."""
    code, order = draw.choice("HIQ"), draw.choice("<>")
    largest = 2 ** (8 * struct.calcsize(f"<{code}")) - 1
    value = draw.choice((0, 1, largest, largest // 2, largest // 2 + 1, draw.randrange(100_000)))
    packed = struct.pack(f"{order}{code}", min(value, largest))
    place = place_in(draw, content)
    content[place : place + len(packed)] = packed


MUTATIONS: tuple[Mutate, ...] = (
    flip_bit, flip_bit, replace_byte, cut_end, remove_block, insert_token, overwrite_token,
    repeat_block, swap_blocks, zero_block, replace_integer,
)  # fmt: skip


def mutated_archive(draw: random.Random, content: bytes) -> bytes:
    """Return a ZIP archive with changed entries and right checksums.

    One entry has other bytes, is removed, or stands twice.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    number = draw.randrange(len(entries))
    name, inner = entries[number]
    kind = draw.random()
    if kind < 0.85:
        entries[number] = name, mutated_bytes(draw, [inner])
    elif kind < 0.92:
        del entries[number]
    else:
        entries.append((draw.choice(entries)[0], inner))
    return archive_of(entries)


def archive_of(entries: Sequence[tuple[str, bytes]]) -> bytes:
    """Return a ZIP archive of uncompressed entries."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of equal names
        for name, inner in entries:
            info = zipfile.ZipInfo(name)
            archive.writestr(info, inner)
    return memory.getvalue()


def mutated_tree(draw: random.Random, tree: Any, values: Sequence[Any] = VALUES) -> Any:
    """Return a copy of nested dicts and lists, changed in one to four places.

    values: that take the place of others.
    """
    tree = deepcopy(tree)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        if draw.random() < 0.03:
            tree = draw.choice(values)
        inner = draw.choice(containers(tree) or [None])
        if inner:
            change_one(draw, inner, values)
    return tree


def containers(tree: Any) -> list:
    """Return all dicts and lists in nested content that are not empty."""
    found = [tree] if isinstance(tree, dict | list) and tree else []
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    for value in inner:
        found += containers(value)
    return found


def change_one(draw: random.Random, inner: dict | list, values: Sequence[Any]) -> None:
    """Replace, remove, add, wrap or exchange one value of a dict or a list."""
    keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
    key, kind = draw.choice(keys), draw.random()
    value = deepcopy(draw.choice(values))
    if kind < 0.5:
        inner[key] = value
    elif kind < 0.65:
        del inner[key]
    elif kind < 0.75 and isinstance(inner, dict):
        inner[draw.choice((*keys, "new", "", "_target_", 7, None))] = value
    elif kind < 0.75 and isinstance(inner, list):
        inner.insert(key, value)
    elif kind < 0.85:
        old = inner[key]
        inner[key] = draw.choice(([old], {"a": old}, str(old)[:200], [old] * 3))
    else:
        other = draw.choice(keys)
        inner[key], inner[other] = inner[other], inner[key]
