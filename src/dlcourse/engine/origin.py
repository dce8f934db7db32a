"""What the checkpoints of a run say about its start, compared when the run is resumed."""

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from dlcourse import atomic_files
from dlcourse.core import Dataset
from dlcourse.engine.fingerprint import Fingerprint
from dlcourse.engine.resume import checkpoint_folders
from dlcourse.errors import UserError
from dlcourse.runs.migrate import migrated
from dlcourse.runs.start_record import differing_keys
from dlcourse.schema.from_environment import storable
from dlcourse.schema.overrides import END_KEYS
from dlcourse.schema.run_files import CONFIG, DATA
from dlcourse.schema.untrusted import json_of
from dlcourse.train.checkpoint import has_checkpoint, read_last

log = logging.getLogger(__name__)


def origin_of(config: dict, dataset: Dataset) -> dict[str, Any]:
    """Return what is stored in every checkpoint about the run's start, texts and numbers by name.

    It is only ever compared: nothing in it is imported, called or used as a path.
    """
    return {
        "config": atomic_files.to_json(storable(config)),
        "data": digests_of(dataset.fingerprint),
        **this_machine(),
    }


def this_machine() -> dict[str, Any]:
    """Return what of this machine decides how sums are rounded."""
    return {"torch": str(torch.__version__), "threads": torch.get_num_threads()}


def digests_of(known: Fingerprint | None) -> str:
    """Return the digests of a data set's two parts as one text; empty without a fingerprint."""
    return "" if known is None else f"{known.train.digest} {known.test.digest}"


def read_origins(folder: Path) -> list[Mapping[str, Any]]:
    """Return what the checkpoints of a run, or of its folds, say about its start.

    Those of an older dlcourse say nothing.
    """
    places = [place for place in checkpoint_folders(folder) if has_checkpoint(place)]
    found = [read_last(place, lazily=True).get("origin") for place in places]
    return [origin for origin in found if isinstance(origin, Mapping)]


def refuse_edited_config(origins: Iterable[Mapping[str, Any]], folder: Path, config: dict) -> None:
    """Raise UserError that lists the differences if a run's stored config was edited.

    config: the stored one. The end of a run may be another one.
    """
    for origin in origins:
        if "config" not in origin:
            continue
        try:
            trained = migrated(json_of(str(origin["config"])))
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"A checkpoint in {folder} holds a config that cannot be read: {error}"
            ) from error
        now = json.loads(atomic_files.to_json(storable(config)))
        lines = differing_keys(trained, now, END_KEYS)
        if lines:
            listed = "\n".join(lines)
            raise UserError(
                f"{folder / CONFIG} was edited since the run was started. These keys differ from "
                f"those that its checkpoint was trained with:\n{listed}\n"
                "Put them back to resume the run, or start a new run with the other values"
            )


def refuse_replaced_fingerprint(
    origins: Iterable[Mapping[str, Any]], folder: Path, known: Fingerprint
) -> None:
    """Raise UserError if a checkpoint was trained on other data, whatever ``data.npz`` says.

    known: the fingerprint of the data now.
    """
    for origin in origins:
        if origin.get("data") and origin["data"] != digests_of(known):
            raise UserError(
                f"The checkpoints in {folder} were trained on other data, and {DATA}, which could "
                "name the differences, was removed or replaced.\nPut the data back as they were, "
                "or start a new run"
            )


def say_other_machine(origins: Iterable[Mapping[str, Any]]) -> None:
    """Print one line if a run is resumed with another PyTorch or another number of threads."""
    changed: dict[str, None] = {}
    for origin in origins:
        changed |= {
            f"{name}: {origin[name]} -> {value}": None
            for name, value in this_machine().items()
            if name in origin and origin[name] != value
        }
    if changed:
        line = (
            f"The run is resumed with another {', '.join(changed)}. Sums may be rounded in another "
            "order, so its end may differ in the last bits from that of a run without a stop"
        )
        log.info(line)
        print(line, flush=True)
