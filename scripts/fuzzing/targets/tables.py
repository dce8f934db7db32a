"""A user's own tables and arrays."""

import io
import random
import warnings
from collections.abc import Callable
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fuzzing.drive import Prepared
from fuzzing.finished_run import people
from fuzzing.mutations import mutated_bytes
from fuzzing.targets.run_files import changed_arrays, npz_bytes, odd_array

CELLS = st.one_of(
    st.integers(-3, 40).map(str),
    st.floats(allow_nan=True).map(repr),
    st.sampled_from(
        ["", "yes", "no", "?", "NA", "2024-03-31", "31.12.2023", "1e400", "nan", "inf", "-0", "1_0",
         "2024-02-30", "2024-03-31T25:00", "9999-12-31T23:59:59+14:00", "0001-01-01", "1,5", "٣",
         '"', "a\nb", "a,b", "\x00", "\ufeff", "\u202e", "x" * 300, "1" * 400, "0x1F", "True"]
    ),
    st.text(max_size=8),
)  # fmt: skip
"""Cells: numbers, words for missing values, dates, controls and any other text."""


@st.composite
def csv_texts(draw: Any) -> bytes:
    """Draw the text of a table, mostly with equally many cells in each row."""
    columns = draw(st.integers(1, 5))
    names = draw(st.permutations(["a", "b", "c", "d", "y"]))[: columns - 1]
    header = [*names, draw(st.sampled_from(["target", "target", "Target", "y", ""]))]
    kinds = [draw(st.sampled_from([CELLS, CELLS, st.integers(0, 3).map(str)])) for _ in header]
    rows = draw(st.lists(st.tuples(*kinds), min_size=0, max_size=30))
    text = "\n".join(",".join(map(quoted, row)) for row in [header, *rows])
    return text.encode("utf-8", "surrogatepass")


def quoted(cell: str) -> str:
    """Return a cell with quotes around it where a table needs them."""
    return f'"{cell.replace(chr(34), chr(34) * 2)}"' if set(cell) & set(',"\n\r') else cell


def options_of(load: Callable, data: str) -> dict[str, Any]:
    """Return the options of a data set that its function takes, without ``root`` and ``seed``."""
    from dlcourse.schema.compose import compose_job, without_hydra

    config = without_hydra(compose_job([f"data={data}"], None))["data"]
    return {key: config[key] for key in signature(load).parameters if key in config} | {"seed": 0}


CHOICES = (
    {}, {"task": "regression"}, {"missing": "mean"}, {"missing": "drop", "task": "regression"},
    {"missing": "most_frequent", "text": "ordinal"}, {"task": "multilabel"},
    {"decimal": "comma", "separator": "semicolon"}, {"date_format": "%d.%m.%Y"},
    {"group": "a", "weight": "b"}, {"numbers": "float32", "missing": "median"},
)  # fmt: skip
"""Options under which tables are read."""


def csv_files(folder: Path) -> Prepared:
    """Read tables of text under several options."""
    from dlcourse.data.csv import csv as load

    defaults = options_of(load, "csv")
    right = people(folder).read_bytes().replace(b",job\n", b",target\n")
    path = folder / "table.csv"

    def read(content: bytes) -> None:
        choice = CHOICES[content[0] % len(CHOICES)]
        path.write_bytes(content[1:])
        load(**{**defaults, "root": folder, "file": path.name, **choice})

    def make(draw: random.Random) -> bytes:
        return bytes([draw.randrange(len(CHOICES))]) + mutated_bytes(draw, [right])

    choices = st.integers(0, len(CHOICES) - 1)
    strategy = st.tuples(choices, csv_texts()).map(lambda one: bytes([one[0]]) + one[1])
    return Prepared(read, make, strategy)


def npz_files(folder: Path) -> Prepared:
    """Read arrays, features and images, for classes and for values."""
    from dlcourse.data.npz import npz as load

    defaults = options_of(load, "npz")
    numbers = np.random.default_rng(0)
    sets = [
        {"x": numbers.normal(size=(20, 3)).astype(np.float32), "y": np.arange(20) % 3},
        {"x_train": numbers.integers(0, 256, (12, 4, 4), np.uint8),
         "y_train": np.arange(12) % 2, "x_test": numbers.integers(0, 256, (6, 4, 4), np.uint8),
         "y_test": np.arange(6) % 2, "classes": np.array(["a", "b"])},
        {"x": numbers.random((10, 4, 4, 3)), "y": numbers.normal(size=(10, 2)),
         "weights": np.ones(10), "ids": np.arange(10)},
    ]  # fmt: skip
    whole = [npz_bytes(one) for one in sets]

    def read(content: bytes) -> None:
        kind, inner = content[0], content[1:]
        path = folder / "data.npz"
        task = ("classification", "regression", "multilabel")[kind % 3]
        if kind & 128:
            path = folder / "arrays"
            path.mkdir(exist_ok=True)
            (path / "x.npy").write_bytes(inner)
            np.save(path / "y.npy", np.arange(20) % 3)
        else:
            path.write_bytes(inner)
        load(**{**defaults, "root": folder, "file": path.name, "task": task})

    def make(draw: random.Random) -> bytes:
        task = draw.randrange(3)
        if draw.random() < 0.2:
            memory = io.BytesIO()
            np.save(memory, odd_array(draw, sets[0]["x"]))
            return bytes([128 | task]) + mutated_bytes(draw, [memory.getvalue()])
        return bytes([task]) + changed_arrays(draw, draw.choice(whole))

    return Prepared(read, make)


@cache
def parquet_seeds() -> tuple[bytes, ...]:
    """Return Parquet files with columns of many types."""
    from datetime import date, datetime, time
    from decimal import Decimal

    import pyarrow as arrow
    import pyarrow.parquet as parquet

    rows = 12
    plain = {
        "a": [n * 0.5 for n in range(rows)], "b": [f"t{n % 3}" for n in range(rows)],
        "c": [n % 2 == 0 for n in range(rows)], "target": [n % 3 for n in range(rows)],
    }  # fmt: skip
    odd = {
        "d": [date(2024, 1, 1 + n) for n in range(rows)], "t": [time(n) for n in range(rows)],
        "s": [datetime(2024, 1, 1, n) for n in range(rows)], "n": [None] * rows,
        "l": [[n] for n in range(rows)], "m": [{"x": n} for n in range(rows)],
        "e": [Decimal(n) for n in range(rows)], "r": [bytes([n]) for n in range(rows)],
    }  # fmt: skip
    tables = [plain, *({**plain, name: values} for name, values in odd.items())]
    found = []
    for table in tables:
        memory = io.BytesIO()
        parquet.write_table(arrow.table(table), memory, compression="none")
        found.append(memory.getvalue())
    return tuple(found)


def parquet_files(folder: Path) -> Prepared:
    """Read Parquet files."""
    from dlcourse.data.parquet import parquet as load

    defaults, seeds = options_of(load, "parquet"), parquet_seeds()
    path = folder / "table.parquet"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load(**{**defaults, "root": folder, "file": path.name})

    def make(draw: random.Random) -> bytes:
        return mutated_bytes(draw, seeds) if draw.random() < 0.97 else draw.choice(seeds)

    return Prepared(read, make)
