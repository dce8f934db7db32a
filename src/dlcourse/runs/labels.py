"""The note and the tags of a run, in its config and its result; they change nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from dlcourse import atomic_files
from dlcourse.runs import run_folder, start_record
from dlcourse.schema.from_environment import storable
from dlcourse.schema.overrides import LABELS, key_of, quoted
from dlcourse.schema.run_files import OVERRIDES, RESULT


def run_labels(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{"note": "first try", "tags": ["baseline"]}`` of a config, or of a run's values."""
    return {"note": config.get("note"), "tags": list(config.get("tags") or [])}


def shown_labels(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels that are set as text, ``{"note": "first try", "tags": "a, b"}``."""
    labels = run_labels(config)
    texts = {"note": labels["note"] or "", "tags": ", ".join(map(str, labels["tags"]))}
    return {key: text for key, text in texts.items() if text}


def as_overrides(labels: Mapping[str, Any]) -> list[str]:
    """Return the labels that are set as overrides, ``["note='first try'", "tags=[a,b]"]``."""
    note, tags = labels["note"], labels["tags"]
    texts = [f"note={quoted(note)}"] if note else []
    some = ",".join(quoted(tag) if isinstance(tag, str) else str(tag) for tag in tags)
    return [*texts, f"tags=[{some}]"] if tags else texts


def change_labels(folder: Path, config: Mapping[str, Any]) -> None:
    """Store the labels of a config with a run, in its config, its overrides and its result."""
    stored, labels = start_record.stored_config(folder), run_labels(storable(config))
    if run_labels(stored) == labels:
        return
    kept = [text for text in start_record.stored_overrides(folder) if key_of(text) not in LABELS]
    atomic_files.write_text(
        folder / OVERRIDES, yaml.safe_dump([*kept, *as_overrides(labels)], allow_unicode=True)
    )
    start_record.write_config(folder, stored | labels)
    result = run_folder.read_json(folder / RESULT, "resume the run")
    if result is not None:
        run_folder.write_result(folder, result | labels)
