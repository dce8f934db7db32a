"""What a run or a sweep has left in its folder, as values that are compared to the last bit."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from dlcourse import atomic_files
from dlcourse.schema.run_files import HISTORY, PREVIOUS_CHECKPOINT, RESULT
from dlcourse.train.checkpoint import has_checkpoint

TIMES = ("seconds", "examples_per_second")


def contents(run: Path) -> dict[str, object]:
    """Return weights, optimizer state, histories, results and predictions, without times.

    run: the folder of a run, of a run with folds, or of a sweep. Raises DamagedFileError for a
    damaged file.
    """
    return dict(values_in(run))


def values_in(run: Path) -> Iterator[tuple[str, object]]:
    """Yield every value in a folder with its file and its place in the file."""
    for path in run.rglob("*.pt"):
        if path.name != Path(PREVIOUS_CHECKPOINT).name:  # of which epoch depends on the kill
            yield from flat(
                str(path.relative_to(run)), with_config(atomic_files.load_checked(path))
            )
    for path in run.rglob("*.npz"):
        yield from flat(str(path.relative_to(run)), atomic_files.load_arrays(path))
    for path in run.rglob(HISTORY):
        lines = [json_or_text(line) for line in path.read_text().splitlines()]
        yield from flat(str(path.relative_to(run)), lines)
    for path in run.rglob(RESULT):
        yield from flat(str(path.relative_to(run)), json.loads(path.read_text()))
    table = run / "results.csv"
    if table.exists():
        with open(table, newline="", encoding="utf-8") as file:
            yield from flat(table.name, [without_folder(row) for row in csv.DictReader(file)])


def with_config(content: dict) -> dict:
    """Return the content of a checkpoint with its config as a dict, without ``resume``."""
    if "origin" not in content:
        return content
    config = json.loads(content["origin"]["config"]) | {"resume": None}
    return content | {"origin": content["origin"] | {"config": config}}


def json_or_text(line: str) -> object:
    """Return a line of JSON as its content; the line itself if it is only a part of one."""
    try:
        return json.loads(line)
    except ValueError:
        return line


def without_folder(row: dict) -> dict:
    """Return a row of a sweep's table without the job's folder."""
    return {name: value for name, value in row.items() if name != "folder"}


def flat(name: str, value: object) -> Iterator[tuple[str, object]]:
    """Yield the parts of nested dicts and lists, each with the path to it; times are left out."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in TIMES:
                yield from flat(f"{name}/{key}", inner)
    elif isinstance(value, list | tuple):
        yield f"{name}/length", len(value)
        for place, inner in enumerate(value):
            yield from flat(f"{name}/{place}", inner)
    else:
        yield name, value


def as_bits(value: object) -> object:
    """Return a value that is equal to another only if all bits are: NaN equals NaN, 0 not -0."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().numpy().tobytes()
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    return repr(value)


def differing(first: dict[str, object], second: dict[str, object]) -> list[str]:
    """Return the names of the values of two runs that differ, or that only one of them has."""
    missing = object()
    return [
        name
        for name in sorted({*first, *second})
        if as_bits(first.get(name, missing)) != as_bits(second.get(name, missing))
    ]


def checkpoint_problem(run: Path) -> str:
    """Return what is wrong with the checkpoints of a run and its folds; empty if nothing is.

    None is damaged. A fold with a recorded epoch has one; it is written before the history.
    """
    for path in run.rglob("*.pt"):
        try:
            atomic_files.load_checked(path)
        except atomic_files.DamagedFileError:
            return f"{path.relative_to(run)} is damaged"
    for path in run.rglob(HISTORY):
        if path.stat().st_size and not has_checkpoint(path.parent):
            return f"an epoch is recorded, and {path.parent.name} has no checkpoint"
    return ""


def temporary_files(run: Path) -> list[Path]:
    """Return the temporary files that a killed save has left."""
    return list(run.rglob(".*.tmp"))
