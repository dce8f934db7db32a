"""Read the file of the observer diagnostics."""

import json
from pathlib import Path

from dlcourse.schema.run_files import DIAGNOSTICS


def read_measurements(folder: Path) -> list[dict]:
    """Return the lines of ``diagnostics.jsonl``; none if the run has no such file.

    A last line that a killed run has left incomplete is dropped.
    """
    path = folder / DIAGNOSTICS
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def kept_lines(lines: list[dict], epochs: int, steps: int, within: int = 0) -> list[dict]:
    """Return the lines of a run up to a state.

    epochs: the number of its epochs. steps: of an epoch. within: steps done after the last epoch.
    """
    last = epochs * steps + within
    return [
        line for line in lines
        if (line["step"] <= last if "step" in line else line["epoch"] <= epochs)
    ]  # fmt: skip
