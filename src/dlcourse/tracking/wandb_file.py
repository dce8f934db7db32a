"""Read what wandb has written on the disk: the epochs that a run has there already."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path

MAGIC = b":W&B"
BLOCK = 32768  # bytes; LevelDB's log format, https://github.com/google/leveldb doc/log_format.md
HEADER = struct.Struct("<IHB")  # checksum, length, type of a piece
WHOLE, LAST = 1, 4  # types of a piece that ends a record; 2 and 3 begin and continue one


def written_rows(path: Path) -> Iterator[dict[str, float]]:
    """Yield the rows of a ``.wandb`` file, as far as it is complete: metrics and ``_step``."""
    from wandb.proto.wandb_internal_pb2 import Record

    for content in written_records(path.read_bytes()):
        record = Record()
        record.ParseFromString(content)
        if record.WhichOneof("record_type") == "history":
            yield {
                item.key or ".".join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
            }


def written_records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a file in LevelDB's log format until it ends or is incomplete."""
    position, content = HEADER.size, b""
    if not data.startswith(MAGIC):
        return
    while position + HEADER.size <= len(data):
        left = BLOCK - position % BLOCK
        if left < HEADER.size:  # padding
            position += left
            continue
        _, length, kind = HEADER.unpack_from(data, position)
        position += HEADER.size
        if kind == 0 or position + length > len(data):
            return
        content += data[position : position + length]
        position += length
        if kind in (WHOLE, LAST):
            yield content
            content = b""
