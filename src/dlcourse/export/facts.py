"""The facts of an exported model, which ``model.json`` and the card hold."""

import platform
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from dlcourse import __version__
from dlcourse.core import Dataset
from dlcourse.engine.fingerprint import Known, read_fingerprint
from dlcourse.engine.stored_encoding import read_encoding
from dlcourse.export.formats import EXPORT_FORMATS, FORMAT_VERSION
from dlcourse.export.request import ExportRequest
from dlcourse.export.whole_model import WholeModel
from dlcourse.runs import run_folder, start_record
from dlcourse.schema.catalogue import read_choice
from dlcourse.schema.facts import fact, name_of
from dlcourse.schema.from_environment import storable
from dlcourse.schema.packaged import CONFIGS
from dlcourse.schema.run_files import TABLE

PERSONAL = ("root",)  # keys of ``data`` that name places on this machine


def facts_of_export(
    request: ExportRequest, whole: Path, config: dict, model: WholeModel, dataset: Dataset | None
) -> dict[str, Any]:
    """Return what is known of a model before its file is written.

    whole: the folder of the run, also where one fold is exported. dataset: None if it was not read.
    """
    member = run_folder.read_result(request.run) or {}
    if request.fold is not None:
        member = run_folder.read_result(request.run / f"fold{request.fold}") or {}
    choices = start_record.stored_choices(whole)
    classes = list(member["classes"])
    first: Any = next(iter(model.members.values()))
    return {
        "format_version": FORMAT_VERSION,
        "name": request.run.resolve().name,
        "model": choices.get("model") or name_of(config["model"]["_target_"]),
        "what": header_of(choices.get("model", "")),
        "format": request.format,
        "file": EXPORT_FORMATS[request.format].file,
        "task": model.task,
        "classes": classes,
        "input": input_facts(tuple(member["input_shape"]), whole, first.standardize.mean.dtype),
        "output": output_facts(model, member, dataset),
        "standardize": type(first.standardize).__name__,
        "views": list(config["view"]) if request.views else [],
        "folds": list(model.members),
        "encoding": TABLE if read_encoding(whole) is not None else None,
        "parameters": member["parameters"],
        "data": data_facts(member, whole),
        "metrics": metric_facts(member),
        "training": training_facts(member, config),
        "choices": choices,
        "overrides": start_record.stored_overrides(whole),
        "config": shared_config(config),
        "versions": {
            "dlcourse": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def header_of(model: str) -> str:
    """Return the line that describes one of dlcourse's models; empty for a user's own."""
    path = CONFIGS / "model" / f"{model}.yaml"
    if not path.is_file():
        return ""
    choice = read_choice(path)
    return f"{choice.what} ({choice.paper})" if choice.paper else choice.what


def input_facts(shape: tuple[int, ...], whole: Path, mean: torch.dtype) -> dict[str, Any]:
    """Return name, shape, type and, of a table, the columns of the inputs; None is any number.

    mean: the type of the standardisation's mean, which is that of the data.
    """
    images = len(shape) == 3
    known = read_fingerprint(whole)
    return {
        "name": "images" if images else "features",
        "shape": [None, *shape],
        "dtype": "uint8" if images else str(mean).removeprefix("torch."),
        "columns": list(known.features) if known and not images else [],
    }


def output_facts(model: WholeModel, member: dict, dataset: Dataset | None) -> dict[str, Any]:
    """Return name, shape, type and columns of the outputs.

    kind: as the loss declares its outputs; those of ``scores`` are no calibrated probabilities.
    """
    size = member["output_size"]
    names = list(dataset.target_names) if dataset else []
    numbered = [f"value {number}" for number in range(1, size + 1)]
    return {
        "name": "values" if model.task == "regression" else "probabilities",
        "shape": [None, size],
        "dtype": "float32",
        "columns": list(member["classes"]) or names or numbered,
        "kind": model.kind,
    }


def data_facts(member: dict, whole: Path) -> dict[str, Any]:
    """Return the data's name, the number of examples and the fingerprint of each part."""
    known = read_fingerprint(whole)
    parts = {} if known is None else {"train": known.train, "test": known.test}
    return {
        "name": member["data"],
        "examples": member.get("examples", {}),
        "counts": {name: counted(part, member["classes"]) for name, part in parts.items()},
        "fingerprint": {name: part.digest for name, part in parts.items()},
    }


def counted(part: Known, classes: list[str]) -> dict[str, int]:
    """Return the number of examples of each class of a part; of all of them in a regression."""
    names = classes if len(classes) == len(part.counts) else ["all"]
    return dict(zip(names, part.counts, strict=False))


def metric_facts(member: dict) -> dict[str, Any]:
    """Return the metrics of the validation and test parts; of folds, their means and ensemble."""
    keys = ("val", "test", "mean", "std", "out_of_fold", "ensemble")
    return {key: member[key] for key in keys if member.get(key)}


def training_facts(member: dict, config: dict) -> dict[str, Any]:
    """Return how the weights were found."""
    keys = ("monitor", "mode", "best", "best_epoch", "epochs", "seconds", "seed", "device")
    found = {key: member[key] for key in keys if key in member}
    trained_with = {"versions": member["versions"]} if "versions" in member else {}
    return found | trained_with | {"precision": config["runtime"]["precision"]}


def shared_config(config: dict) -> dict:
    """Return the config without places on this machine and what only a command decides."""
    config = storable(config)
    data = {key: value for key, value in config["data"].items() if key not in PERSONAL}
    return {**{k: v for k, v in config.items() if k not in ("resume", "trust")}, "data": data}


def outputs_kind(config: dict) -> str:
    """Return the kind of a run's outputs, as its loss declares them."""
    return fact(config["loss"], "outputs")
