"""Read what wandb has written on the disk: the epochs that a run has there already."""

import json
import struct
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

WANDB_MAGIC = b":W&B"
BLOCK_BYTES = (
    32768  # bytes; LevelDB's log format, https://github.com/google/leveldb doc/log_format.md
)
PIECE_HEADER = struct.Struct("<IHB")  # checksum, length, type of a piece
WHOLE_RECORD, LAST_PIECE = (
    1,
    4,
)  # types of a piece that ends a record; 2 and 3 begin and continue one


def written_rows(path: Path) -> Iterator[dict[str, float]]:
    """Yield the rows of a ``.wandb`` file, as far as it is complete: metrics and ``_step``."""
    messages = import_module("wandb.proto.wandb_internal_pb2")

    for content in written_records(path.read_bytes()):
        record = messages.Record()
        record.ParseFromString(content)
        if record.WhichOneof("record_type") == "history":
            yield {
                item.key or ".".join(item.nested_key): json.loads(item.value_json)
                for item in record.history.item
            }


def written_records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a file in LevelDB's log format until it ends or is incomplete."""
    position, content = PIECE_HEADER.size, b""
    if not data.startswith(WANDB_MAGIC):
        return
    while position + PIECE_HEADER.size <= len(data):
        left = BLOCK_BYTES - position % BLOCK_BYTES
        if left < PIECE_HEADER.size:  # padding
            position += left
            continue
        _, length, kind = PIECE_HEADER.unpack_from(data, position)
        position += PIECE_HEADER.size
        if kind == 0 or position + length > len(data):
            return
        content += data[position : position + length]
        position += length
        if kind in (WHOLE_RECORD, LAST_PIECE):
            yield content
            content = b""
