"""Read the file of the observer diagnostics."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from dlcourse.schema.run_files import DIAGNOSTICS
from dlcourse.schema.stored_shape import is_one, misfit
from dlcourse.schema.untrusted import json_of

LAYERS_LINE = {"step": int, "epoch": float, "layers": {str: {str: object}}}
EPOCH_LINE = {"epoch": float, "losses?": [(float, None)], "rates?": [(float, None)]}
"""The shapes of a line about the layers, and of one about the steps of an epoch."""


def read_measurements(folder: Path) -> list[dict]:
    """Return the lines of ``diagnostics.jsonl``; none if the run has no such file.

    A last line that a killed run has left incomplete is dropped.
    """
    return read_new_measurements(folder, 0)[0]


def read_new_measurements(folder: Path, seen: int) -> tuple[list[dict], int]:
    """Return the complete lines after the first ``seen`` bytes, and the bytes seen now."""
    try:
        with open(folder / DIAGNOSTICS, "rb") as file:
            file.seek(seen)
            content = file.read()
    except FileNotFoundError:
        return [], seen
    whole = content[: content.rfind(b"\n") + 1]
    found = map(measurement_in, whole.splitlines())
    return [line for line in found if line is not None], seen + len(whole)


def measurement_in(line: bytes) -> dict | None:
    """Return the content of a line; None for one that is damaged."""
    try:
        content = json_of(line)
    except ValueError:
        return None
    shape = LAYERS_LINE if isinstance(content, dict) and "layers" in content else EPOCH_LINE
    return None if misfit(content, shape) else content


def kept_lines(lines: list[dict], epochs: int, steps: int, within: int = 0) -> list[dict]:
    """Return the lines of a run up to a state.

    epochs: the number of its epochs. steps: of an epoch. within: steps done after the last epoch.
    """
    ends = {"step": epochs * steps + within, "epoch": epochs}

    def is_kept(line: dict) -> bool:
        unit = "step" if "step" in line else "epoch"
        return isinstance(line.get(unit), int) and line[unit] <= ends[unit]

    return [line for line in lines if is_kept(line)]


def as_tables(lines: list[dict]) -> tuple[list[str], list[float], dict[str, np.ndarray]]:
    """Return the layers with a weight matrix, the epochs of the measurements, and their values.

    The values are a table (layers, times) for each kind; NaN where a layer has none.
    """
    measured = [line for line in lines if "layers" in line]
    if not measured:
        return [], [], {}
    layers = [name for name, values in measured[-1]["layers"].items() if "sparsity" in values]
    kinds = {
        kind: None
        for line in measured
        for name in layers
        for kind, value in line["layers"].get(name, {}).items()
        if is_one(value, float)
    }
    tables = {
        kind: np.array(
            [
                [as_float(line["layers"].get(name, {}).get(kind)) for line in measured]
                for name in layers
            ]
        )
        for kind in kinds
    }
    return layers, [line["epoch"] for line in measured], tables


def as_float(value: Any) -> float:
    """Return a measurement as a number, NaN if there is none."""
    return float(value) if is_one(value, float) else math.nan


def without_histograms(lines: list[dict]) -> dict:
    """Return the only line of a list without its histograms; an empty one if there is no line."""
    if not lines:
        return {}
    layers = {
        name: {kind: value for kind, value in values.items() if not isinstance(value, dict)}
        for name, values in lines[0]["layers"].items()
    }
    return lines[0] | {"layers": layers}
