"""Copy a run or a sweep without what it says about its owner's machine."""

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from dlcourse import atomic_files
from dlcourse.engine.private_texts import (
    found_in,
    names_of_machine,
    neutral_text,
    override_without_places,
    values_of_environment,
    without_places,
)
from dlcourse.errors import UserError
from dlcourse.runs import start_record
from dlcourse.runs.labels import run_labels
from dlcourse.schema import run_files
from dlcourse.schema.from_environment import storable
from dlcourse.schema.overrides import LABELS, key_of
from dlcourse.terminal.installed import short_path

EVENTS = re.compile(r"events\.out\.tfevents\.(\d+)\..*?(\.\d+)?")
TEXT_SUFFIXES = (".log", ".txt", ".md", ".html", ".csv", ".tex", ".json", ".jsonl", ".svg", ".tsv")
COPIED = (*TEXT_SUFFIXES, ".png", ".pdf", ".npz", ".pt", ".safetensors", ".onnx", ".pt2", ".gif")
LEFT_OUT = {
    "wandb": "a tracker's store names the user and the machine",
    "mlruns": "a tracker's store names the user and the machine",
    "projector": "it holds images of the test examples",
    "profile": "a profile names files of this machine",
    "export": "an exported model: copy it by itself",
    "wandb.json": "it belongs to a tracker's store",
    "mlflow.json": "it belongs to a tracker's store",
    "aim.json": "it belongs to a tracker's store",
    "projector_config.pbtxt": "it belongs to projector",
    "rerun.json": "it names the folder of an earlier run",
    "environment.json": "digests of environment variables",
}
"""Files and folders that are not copied, with the reason."""
PREDICTED = (run_files.PREDICTIONS, run_files.OUT_OF_FOLD)


@dataclass
class Shared:
    """What ``share`` has done.

    target: the new folder or archive. left_out: why some files are not in it. reveals: what some
    files in it still name.
    """

    target: Path
    copied: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    reveals: dict[str, list[str]] = field(default_factory=dict)


def share_folder(
    folder: Path, target: Path, *, predictions: bool = True, labels: bool = True
) -> Shared:
    """Copy a run or a sweep into a new folder, or a new archive ``.zip``, without private texts.

    predictions: whether to copy the predictions, which hold the targets of the data.
    labels: whether to keep the note and the tags. Raises UserError if there is no run or sweep, and
    if the target exists.
    """
    if not any((folder / name).exists() for name in (run_files.CONFIG, run_files.MANIFEST)):
        raise UserError(f"{short_path(folder)} holds neither a run nor a sweep")
    if target.exists():
        raise UserError(f"{short_path(target)} exists already.\nType to=<a new folder or .zip>")
    shared, names = Shared(target), names_of_machine(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".share-", dir=target.parent) as place:
        copy = Path(place) / target.stem
        copy.mkdir()
        for path in own_files(folder, folder, shared):
            name = path.relative_to(folder)
            reason = reason_to_leave_out(path, predictions=predictions)
            if reason:
                shared.left_out[str(name)] = reason
                continue
            to = copy / name.parent / new_name(name.name)
            to.parent.mkdir(parents=True, exist_ok=True)
            copy_cleaned(path, to, names, labels=labels)
            shared.copied.append(str(to.relative_to(copy)))
        searched = names | values_of_environment()
        for name in shared.copied:
            found = found_in((copy / name).read_bytes() + name.encode(), searched)
            if found:
                shared.reveals[name] = found
        if target.suffix == ".zip":
            archive(copy, target)
        else:
            copy.rename(target)
    return shared


def own_files(folder: Path, whole: Path, shared: Shared) -> Iterator[Path]:
    """Yield the files of a folder inside ``whole``; links are noted as left out."""
    for path in sorted(folder.iterdir()):
        name = str(path.relative_to(whole))
        if path.is_symlink():
            shared.left_out[name] = "a link to another place"
        elif path.is_dir() and path.name in LEFT_OUT:
            shared.left_out[f"{name}/"] = LEFT_OUT[path.name]
        elif path.is_dir():
            yield from own_files(path, whole, shared)
        elif path.is_file():
            yield path


def reason_to_leave_out(path: Path, *, predictions: bool) -> str:
    """Return why a file of a run is not copied; an empty text if it is."""
    if path.name in LEFT_OUT:
        return LEFT_OUT[path.name]
    if path.name in PREDICTED and not predictions:
        return "predictions=false"
    if path.parent.name == ".hydra":
        kept = (run_files.CONFIG, run_files.OVERRIDES, run_files.HYDRA)
        return "" if f".hydra/{path.name}" in kept else "a lock or a file of Hydra's"
    if path.name.startswith("."):
        return "a temporary file"
    if EVENTS.fullmatch(path.name) or path.suffix in COPIED:
        return ""
    return "not a file of a run"


def new_name(name: str) -> str:
    """Return the name of a copied file: that of an event file loses the host and the process."""
    found = EVENTS.fullmatch(name)
    return f"events.out.tfevents.{found[1]}.host{found[2] or ''}" if found else name


def copy_cleaned(path: Path, to: Path, names: Mapping[str, str], *, labels: bool) -> None:
    """Copy one file of a run without what it says about the machine."""
    special: dict[str, Callable[..., None]] = {
        "config.yaml": copy_config,
        "overrides.yaml": copy_overrides,
        "hydra.yaml": copy_hydra,
        "last.pt": copy_checkpoint,
        "previous.pt": copy_checkpoint,
        run_files.RESULT: copy_json,
        run_files.MANIFEST: copy_json,
    }
    if path.name in special:
        special[path.name](path, to, names, labels=labels)
    elif EVENTS.fullmatch(path.name):
        copy_events(path, to, names, labels=labels)
    elif path.suffix in TEXT_SUFFIXES:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        to.write_text(neutral_text(text, names), encoding="utf-8", errors="surrogateescape")
    else:
        shutil.copyfile(path, to)


def copy_config(path: Path, to: Path, names: Mapping[str, str], *, labels: bool) -> None:
    """Copy the config of a run: passwords masked, absolute paths reduced to their last parts."""
    config = without_places(storable(start_record.read_yaml(path)), names)
    config |= {} if labels else {"note": None, "tags": []}
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    atomic_files.write_text(to, text)


def copy_overrides(path: Path, to: Path, names: Mapping[str, str], *, labels: bool) -> None:
    """Copy the overrides of a run."""
    overrides = start_record.stored_overrides(path.parents[1])
    kept = [
        override_without_places(override, names) for override in overrides
        if labels or key_of(override) not in LABELS
    ]  # fmt: skip
    atomic_files.write_text(to, yaml.safe_dump(kept, allow_unicode=True))


def copy_hydra(path: Path, to: Path, names: Mapping[str, str], *, labels: bool) -> None:
    """Copy the names of the choices alone: the rest are paths of this machine."""
    choices = start_record.stored_choices(path.parents[1])
    content = {"hydra": {"runtime": {"choices": {str(k): str(v) for k, v in choices.items()}}}}
    atomic_files.write_text(to, yaml.safe_dump(content, sort_keys=False))


def copy_checkpoint(path: Path, to: Path, names: Mapping[str, str], *, labels: bool) -> None:
    """Copy a checkpoint; the config in it is changed as the run's own."""
    content = atomic_files.load_checked(path)
    origin = content.get("origin")
    if isinstance(origin, dict) and "config" in origin:
        config = without_places(storable(json.loads(origin["config"])), names)
        config |= {} if labels else {"note": None, "tags": []}
        content["origin"] = origin | {"config": atomic_files.to_json(config)}
    atomic_files.save_checked(to, content)


def copy_json(path: Path, to: Path, names: Mapping[str, str], *, labels: bool) -> None:
    """Copy a result or a sweep's manifest."""
    content: Any = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, dict):
        content = without_places(content, names)
        if "words" in content:
            content["words"] = [override_without_places(one, names) for one in content["words"]]
        if not labels:
            content |= {key: value for key, value in run_labels({}).items() if key in content}
    atomic_files.write_json(to, content, indent=1)


def copy_events(path: Path, to: Path, names: Mapping[str, str], *, labels: bool) -> None:
    """Copy an event file of TensorBoard; texts in it are cleaned."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto import event_pb2
    from tensorboard.summary.writer.record_writer import RecordWriter

    messages: Any = event_pb2
    with open(to, "wb") as file:
        writer = RecordWriter(file)
        for record in RawEventFileLoader(str(path)).Load():
            event = messages.Event.FromString(record)
            values = list(event.summary.value)
            for value in values:
                texts = [text.decode("utf-8", "replace") for text in value.tensor.string_val]
                if value.metadata.plugin_data.plugin_name == "text":
                    cleaned = [neutral_text(text, names) for text in texts]
                    value.tensor.string_val[:] = [text.encode() for text in cleaned]
            if not labels:
                del event.summary.value[:]
                event.summary.value.extend(v for v in values if "note" not in v.tag)
            writer.write(event.SerializeToString())


def archive(folder: Path, target: Path) -> None:
    """Write a folder into a ZIP archive, without dates and owners of its files."""
    with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = f"{folder.name}/{path.relative_to(folder)}"
                file.writestr(zipfile.ZipInfo(name), path.read_bytes(), zipfile.ZIP_DEFLATED)
