"""Open an exported folder: its facts and its predictions. It needs neither the run nor the data."""

import hashlib
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcourse.engine.new_table import is_new_table, new_rows
from dlcourse.engine.trained_model import as_inputs
from dlcourse.errors import UserError
from dlcourse.export.formats import EXPORT_FORMATS, FACTS_FILE, FORMAT_VERSION
from dlcourse.runs import run_folder
from dlcourse.schema.from_environment import refuse_other_references, resolved
from dlcourse.schema.stored_shape import misfit
from dlcourse.schema.trust import check_trust
from dlcourse.terminal.extras import refuse_missing
from dlcourse.terminal.installed import short_path
from dlcourse.train.evaluate import EVALUATION_BATCH

FACTS_SHAPE = {
    "format": str, "format_version?": int, "name": str, "task": str, "classes": [str],
    "input": {"shape": [(int, None)], "dtype": str}, "output": {"kind": str},
    "config": {"model": dict, "view": {str: dict}, "data": dict}, "versions?": {str: str},
    "sha256?": str,
}  # fmt: skip
EXPORT_DTYPES = ("uint8", "float32", "float64")


def read_facts(folder: Path) -> dict[str, Any]:
    """Return the facts in an exported folder; raises UserError if it cannot be read."""
    facts = run_folder.read_json(folder / FACTS_FILE, "export the run again")
    if facts is None:
        raise UserError(
            f"{short_path(folder)} is not an exported model: {FACTS_FILE} is not in it.\n"
            "Name a folder that dlcourse export has written"
        )
    if not isinstance(facts, dict) or str(facts.get("format")) not in EXPORT_FORMATS:
        raise UserError(f"{folder / FACTS_FILE} is not one of dlcourse's.\nExport the run again")
    problem = misfit(facts, FACTS_SHAPE)
    if not problem and facts["input"]["dtype"] not in EXPORT_DTYPES:
        problem = f"input.dtype is not one of {', '.join(EXPORT_DTYPES)}"
    if problem:
        raise UserError(
            f"{folder / FACTS_FILE} is not one of dlcourse's: {problem}.\nExport the run again"
        )
    if facts.get("format_version", 0) > FORMAT_VERSION:
        raise UserError(
            f"{short_path(folder)} was written by a newer dlcourse "
            f"({facts.get('versions', {}).get('dlcourse')}).\nInstall that version"
        )
    return facts


def open_predictor(
    folder: Path, facts: dict, *, trust: Sequence[str] = ()
) -> Callable[[Tensor], Tensor]:
    """Return the function raw inputs (N, ...) -> predictions (N, K) of an exported model.

    A format that holds the weights alone is built from the config, which may only call dlcourse's
    own code and that of ``trust``. Raises UserError for a missing package and a damaged file.
    """
    known = EXPORT_FORMATS[facts["format"]]
    for module in known.needs:
        refuse_missing(module, f"format={facts['format']}")
    if not known.program:
        built = {key: facts["config"][key] for key in ("model", "view")}
        refuse_other_references(built, folder / FACTS_FILE)
        built = resolved(built)
        check_trust(built | {"trust": list(trust)})
        facts = facts | {"config": facts["config"] | built}
    path = folder / known.file
    refuse_changed(path, facts)
    try:
        return import_module(f"dlcourse.export.to_{facts['format']}").read_format(path, facts)
    except UserError:
        raise
    except Exception as error:  # each library has its own types
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"{short_path(path)} cannot be read: {reason}") from error


def refuse_changed(path: Path, facts: dict) -> None:
    """Raise UserError if a model's file is missing or is not the one that was exported."""
    if not path.is_file():
        raise UserError(f"{short_path(path)} is missing.\nExport the run again")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if facts.get("sha256", digest) != digest:
        raise UserError(
            f"{short_path(path)} has changed since it was exported, or is damaged.\n"
            "Export the run again"
        )


def predict_in_batches(
    predict: Callable[[Tensor], Tensor], folder: Path, facts: dict, inputs: Any
) -> Tensor:
    """Return the predictions (N, K) of a user's inputs, as float32.

    inputs: as a run takes them. Raises UserError for another shape or type.
    """
    if is_new_table(inputs):
        inputs = new_rows(folder, facts["config"]["data"], inputs).inputs
    tensor = as_inputs(inputs, tuple(facts["input"]["shape"][1:]))
    tensor = tensor.cpu().to(getattr(torch, facts["input"]["dtype"]))
    with torch.no_grad():
        return torch.cat([predict(batch).float() for batch in tensor.split(EVALUATION_BATCH)])
