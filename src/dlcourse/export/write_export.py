"""Export a finished run: write the folder, read it back, compare it with the run's model."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcourse import atomic_files
from dlcourse.core import Dataset
from dlcourse.engine.datasets import examples_to_test, load_data, split_training_data
from dlcourse.engine.instantiate import build
from dlcourse.engine.reopen import (
    config_of,
    folds_of,
    open_model,
    plain_network,
    predict_with,
    stored_task,
)
from dlcourse.engine.stored_encoding import read_encoding, write_encoding
from dlcourse.errors import UserError
from dlcourse.export.card import model_card
from dlcourse.export.facts import facts_of_export, outputs_kind
from dlcourse.export.formats import CARD_FILE, EXPORT_FORMATS, FACTS_FILE
from dlcourse.export.open_export import open_predictor
from dlcourse.export.request import ExportRequest, refuse_existing
from dlcourse.export.verify import Verification, compare_predictions, random_inputs, some_of
from dlcourse.export.whole_model import (
    FoldModel,
    WholeModel,
    named_weights,
    standardizing,
    without_data_dependence,
)
from dlcourse.runs import run_folder
from dlcourse.schema.run_files import CONFIG
from dlcourse.terminal.installed import short_path
from dlcourse.terminal.live_line import working
from dlcourse.view.answer import from_views

TRACED = 5  # examples in the batch with which a model is traced


def export_run(request: ExportRequest) -> tuple[dict, Verification]:
    """Export a run; return its facts and the comparison with the run's model.

    Nothing is left behind unless the exported model was read back and predicts the same. Raises
    UserError for an unfinished run, a model that the format cannot hold, and a larger difference.
    """
    places = members_of(request)
    config = config_of(request.run, ",".join(request.trust))
    if request.root:
        config["data"]["root"] = request.root
    whole = request.run if (request.run / CONFIG).exists() else request.run.resolve().parent
    with working("reading the data"):
        dataset = load_data(config) if request.verify == "test" else None
    model = whole_model(config, places, views=request.views)
    inputs = inputs_to_verify(config, dataset, model, next(iter(places.values())))
    with working("predicting with the run's model"):
        reference = reference_predictions(request, config, list(places.values()), inputs)
    facts = facts_of_export(request, whole, config, model, dataset)
    with folder_or_nothing(request.to) as folder, working(f"exporting as {request.format}"):
        write_model(request, model, facts, folder)
        compared = verified(request, facts, folder, reference, inputs)
        facts |= {"verified": compared._asdict() | {"on": request.verify}}
        facts |= file_facts(folder / facts["file"])
        encoding = read_encoding(whole)
        if encoding is not None:
            write_encoding(folder, encoding)
        atomic_files.write_json(folder / FACTS_FILE, facts, indent=1)
        atomic_files.write_text(folder / CARD_FILE, model_card(facts, model))
    return facts, compared


def members_of(request: ExportRequest) -> dict[str, Path]:
    """Return the folders of the models to export by name: one, or those of all folds."""
    places = folds_of(request.run)
    if request.fold is not None:
        return {"model": request.run / f"fold{request.fold}"}
    if len(places) == 1:
        return {"model": places[0]}
    return {place.name: place for place in places}


def whole_model(config: dict, places: dict[str, Path], *, views: bool) -> WholeModel:
    """Return the models in some folders as one plain module in float32, on the CPU."""
    seen = [build(node) for node in config["view"].values()] if views else []
    members, task = {}, ""
    for name, place in places.items():
        network, standardize = plain_network(config, place)
        members[name] = FoldModel(network.float(), standardizing(standardize), seen)
        task = stored_task(run_folder.read_result(place) or {})
    return WholeModel(members, kind=outputs_kind(config), task=task).eval().requires_grad_(False)


def inputs_to_verify(
    config: dict, dataset: Dataset | None, model: WholeModel, place: Path
) -> Tensor:
    """Return raw inputs of the test part, or random ones if the data set was not read.

    place: the folder of one of the models.
    """
    if dataset is not None:
        part = split_training_data(config, dataset)[0]
        test = examples_to_test(dataset, part)
        some = test if len(test) else dataset.train
        return some_of(some)
    first: Any = next(iter(model.members.values()))
    shape = tuple((run_folder.read_result(place) or {})["input_shape"])
    return random_inputs(shape, first.standardize.mean, first.standardize.scale)


def reference_predictions(
    request: ExportRequest, config: dict, places: list[Path], inputs: Tensor
) -> Tensor:
    """Return the predictions of the run's own model in float32 on the CPU, as ``predict`` does."""
    precision = "fp64" if config["runtime"]["precision"] == "fp64" else "fp32"
    opened = [
        open_model(place, trust=request.trust, device="cpu", precision=precision)
        for place in places
    ]
    if not request.views:
        opened = [one._replace(evaluate=from_views([], one.model.prepare)) for one in opened]
    return predict_with(opened, inputs)


def write_model(request: ExportRequest, model: WholeModel, facts: dict, folder: Path) -> None:
    """Write the model's file; raises UserError with the reason if the format cannot hold it."""
    known = EXPORT_FORMATS[request.format]
    weights = {name: list(tensor.shape) for name, tensor in named_weights(model).items()}
    if known.program:
        members: Any = model.members.values()
        for member in members:
            member.network = without_data_dependence(member.network)
    else:
        facts["weights"] = weights
    shape = facts["input"]["shape"][1:]
    example = torch.zeros(TRACED, *shape, dtype=getattr(torch, facts["input"]["dtype"]))
    module = import_module(f"dlcourse.export.to_{request.format}")
    try:
        module.write_format(model, example, folder / known.file, facts, request.opset)
    except UserError:
        raise
    except Exception as error:  # each library has its own types
        raise refused(request, str(error) or type(error).__name__) from error


def verified(
    request: ExportRequest, facts: dict, folder: Path, reference: Tensor, inputs: Tensor
) -> Verification:
    """Read the exported model back and compare it; raises UserError for a larger difference."""
    try:
        exported = open_predictor(folder, facts, trust=request.trust)
        dtype = getattr(torch, facts["input"]["dtype"])
        compared = compare_predictions(exported, reference, inputs.to(dtype), facts["task"])
    except UserError as error:
        raise refused(request, str(error)) from error
    if compared.difference > request.tolerance:
        raise UserError(
            f"The exported model differs from the run's by {compared.text()}, more than "
            f"tolerance={request.tolerance:g}. Nothing was written.\n"
            f"Type a larger tolerance if that is enough for you, or another format"
        )
    return compared


def refused(request: ExportRequest, reason: str) -> UserError:
    """Return the error of a model that a format cannot hold."""
    lines = [line for line in reason.splitlines() if line.strip()] or [reason]
    first = next((line for line in lines if "No ONNX function" in line), lines[0])
    return UserError(
        f"This model cannot be exported as {request.format}: {first.strip()[:400]}\n"
        "Nothing was written. Type another format, or format=state_dict for the weights alone"
    )


def file_facts(path: Path) -> dict[str, Any]:
    """Return size and checksum of the model's file."""
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


@contextmanager
def folder_or_nothing(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder, which gets its name only if the block ends without an error.

    Raises UserError if the folder cannot be made or is already there.
    """
    refuse_existing(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    made = not folder.parent.exists()
    try:
        temporary.mkdir(parents=True)
    except OSError as error:
        raise run_folder.unwritable(folder, error, "to") from error
    try:
        yield temporary
        refuse_existing(folder)
        os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if made and not any(folder.parent.iterdir()):
            folder.parent.rmdir()


def summary(request: ExportRequest, facts: dict, compared: Verification) -> str:
    """Return what was written and how it was verified, in two lines."""
    size = facts["bytes"] / 1e6
    sizes = ", ".join(map(str, compared.batches[:-1])) + f" and {compared.batches[-1]}"
    inputs = "test examples" if request.verify == "test" else "random inputs"
    return (
        f"{short_path(request.to)} holds {facts['file']} ({size:.2f} MB), {FACTS_FILE} and "
        f"{CARD_FILE}\n"
        f"largest difference from the run's model: {compared.text()}, over "
        f"{compared.examples} {inputs} in batches of {sizes}"
    )
