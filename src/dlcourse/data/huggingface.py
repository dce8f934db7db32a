"""A data set in the format of Hugging Face's library ``datasets``, on disk."""

import hashlib
import logging
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import PIL
import torch

from dlcourse.core import Dataset, Split
from dlcourse.data.array_inputs import all_inputs
from dlcourse.data.array_targets import all_targets
from dlcourse.data.cache import CACHE_FOLDER, IMAGES_KEY, cached
from dlcourse.data.cache_content import files_misfit
from dlcourse.data.hub_columns import find_columns, labels_of_rows, number_rows
from dlcourse.data.hub_images import decoded_images
from dlcourse.data.image_file import READER_VERSION, Reading, describe_notes
from dlcourse.data.load_images import GIB, kind_and_versions
from dlcourse.data.test_split import split_off_test
from dlcourse.errors import UserError, nearest, shown
from dlcourse.terminal.extras import require

SAVED = ("dataset_dict.json", "state.json")  # in a folder made by save_to_disk
USUAL_SPLITS = {"val": ("validation", "val", "valid", "dev"), "test": ("test",)}

log = logging.getLogger(__name__)


def huggingface(
    *,
    root: Path,
    seed: int,
    path: str,
    name: str | None,
    train_split: str,
    val_split: str | None,
    test_split: str | None,
    test_fraction: float,
    label_column: str | None,
    image_column: str | None,
    task: str,
    size: int,
    channels: int,
    fit: str,
    fill: int,
    memory: float,
    workers: int,
) -> Dataset:
    """Return the splits of a data set of images, or of columns of numbers, with its labels.

    Classes have the names that the column's ``ClassLabel`` declares; labels without it are texts or
    whole numbers, or values with ``task="regression"``; lists of classes are for
    ``task="multilabel"``. Images are read as those of ``image_folder``, all into memory, and
    cached. No code of the data set is run.

    path: a folder in ``root``, made by ``save_to_disk`` or with files for ``load_dataset``.
    name: of a data set of the hub, which is downloaded; None: nothing is.
    train_split, val_split, test_split: the names of splits; ``auto`` takes a usual name where it
        exists. Without a test split, ``test_fraction`` is split off, the same rows in every run.
    memory: the most memory, in GiB, for all images.

    Raises UserError for a folder that holds no data set, for splits and columns that it lacks, and
    for missing labels.
    """
    top = root / path
    splits = load_splits(root, top, name)
    chosen = choose_splits(splits, {"train": train_split, "val": val_split, "test": test_split})
    columns = find_columns(chosen["train"].features, label_column, image_column)
    labels, names = {}, None
    for part, rows in chosen.items():
        where = f"split {part} of {shown(name or top)}, column {columns.label}"
        labels[where], names = labels_of_rows(rows, columns.label, task, where)
    targets, classes = all_targets(labels, task, names)
    made = {}
    if columns.image is None:
        numbers = {part: number_rows(rows, columns.numbers) for part, rows in chosen.items()}
        inputs = all_inputs({f"split {part}": array for part, array in numbers.items()}, "auto")
        for part, x, y in zip(chosen, inputs, targets, strict=True):
            made[part] = Split(x, y)
    else:
        reading = Reading(size, channels, fit=fit, fill=fill)
        refuse_too_many(sum(map(len, chosen.values())), reading, memory)
        for part, y in zip(chosen, targets, strict=True):
            images, contents = read_images_of(
                chosen[part], columns.image, reading, workers, top if name is None else root, part
            )
            made[part] = Split(images, y, contents)
    train, test = made["train"], made.get("test")
    if test is None:
        held = round(len(train) * test_fraction)
        if not 0 < held < len(train):
            raise UserError(
                f"data.test_fraction={test_fraction} of {len(train)} rows leaves {held} to test on."
                "\nType another fraction, or data.test_split=<a split>"
            )
        train, test = split_off_test(train, held, seed, classes=task == "classification")
    val = made.get("val")
    return Dataset(
        name=shown(name or top.resolve().name),
        train=train if val is None else train.followed_by(val),
        test=test,
        classes=classes,
        ready_val=0 if val is None else len(val),
        features=() if columns.image is not None else tuple(columns.numbers),
        target_names=(columns.label,) if task == "regression" else (),
    )


def load_splits(root: Path, top: Path, name: str | None) -> Mapping[str, Any]:
    """Return the splits of a data set by name; raises UserError if it cannot be read."""
    datasets = require("datasets", "data=huggingface")
    if name is None and not top.is_dir():
        raise UserError(
            f"The data set {shown(top)} does not exist.\n"
            "Type data.root=<folder> data.path=<a folder in it, made by save_to_disk>"
        )
    online = datasets.config.HF_HUB_OFFLINE
    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        if name is not None:
            loaded = datasets.load_dataset(name, cache_dir=str(root / "huggingface"))
        elif any((top / file).exists() for file in SAVED):
            loaded = datasets.load_from_disk(str(top))
        else:
            datasets.config.HF_HUB_OFFLINE = True  # a local folder needs no network
            loaded = datasets.load_dataset(str(top), cache_dir=str(root / CACHE_FOLDER))
    except Exception as error:  # the library raises many kinds
        reason = shown(" ".join(str(error).split()) or type(error).__name__)
        remedy = "Type data.path=<a folder made by save_to_disk, or of Parquet or image files>"
        if name is not None:
            remedy = "Check data.name, or download it elsewhere, save_to_disk, and type data.path"
        raise UserError(f"{shown(name or top)} cannot be read: {reason:.300}.\n{remedy}") from error
    finally:
        datasets.config.HF_HUB_OFFLINE = online
        if not bars:
            datasets.enable_progress_bars()
    return loaded if isinstance(loaded, Mapping) else {"train": loaded}


def choose_splits(splits: Mapping[str, Any], names: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the splits of the training, the validation and the test part, where there are any.

    names: of the splits; ``auto`` takes a usual one. Raises UserError for a split that is missing,
    without rows, or named twice.
    """
    chosen: dict[str, str] = {}
    for part, name in names.items():
        if name == "auto":
            name = next((one for one in USUAL_SPLITS[part] if one in splits), None)
        if name is None:
            continue
        if name not in splits:
            raise UserError(
                f"The data set has no split {name}; {nearest(name, splits)}.\n"
                f"Type data.{part}_split=<one of them>"
            )
        if name in chosen.values():
            raise UserError(
                f"data.{part}_split={name} is another part as well.\n"
                f"Type another split, or data.{part}_split=null"
            )
        if len(splits[name]) == 0:
            raise UserError(f"The split {name} has no rows.\nType data.{part}_split=<another>")
        chosen[part] = name
    return {part: splits[name] for part, name in chosen.items()}


def refuse_too_many(count: int, reading: Reading, memory: float) -> None:
    """Raise UserError if all images together need more memory than is allowed."""
    need = count * reading.channels * reading.size**2 / GIB
    if need > memory:
        raise UserError(
            f"{count:,} images of {reading.size} x {reading.size} need {need:.2g} GiB, more than "
            f"data.memory={memory:g}.\nType a larger data.memory, a smaller data.size, or save the "
            "images as files and read them by data=image_folder, which can leave them on the disk"
        )


def read_images_of(
    rows: Any, column: str, reading: Reading, workers: int, top: Path, part: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the images (N, channels, size, size) of a split, and digests (N,) of their files.

    top: the folder whose cache keeps the decoded images.
    """
    kind, versions = kind_and_versions(reading)
    state = state_of(rows, top, column, part)
    content = cached(
        top,
        f"decoded-{part}-{kind}-{versions}{state}",
        lambda: decoded_images(rows, column, reading, workers),
        replaces=f"decoded-{part}-{kind}-*",
        misfit=partial(rows_misfit, rows=len(rows), reading=reading),
    )
    if line := describe_notes([f"row {n} of {part}" for n in range(len(rows))], content["notes"]):
        log.warning("%s", line)
    return content[IMAGES_KEY], content["contents"]


def rows_misfit(content: dict, rows: int, reading: Reading) -> str:
    """Return why content is not the decoded images of some rows; "" if it is."""
    whole = {**content, "problems": [""] * rows}  # a damaged image ends the decoding
    return files_misfit(whole, rows, (reading.channels, reading.size, reading.size))


def state_of(rows: Any, top: Path, column: str, part: str) -> str:
    """Return a text that changes when the files of a split or the way to read them change."""
    files = sorted({file["filename"] for file in rows.cache_files})
    digest = hashlib.sha256(f"{READER_VERSION}\0{PIL.__version__}\0{column}\0{part}".encode())
    digest.update(f"\0{len(rows)}\0{rows._fingerprint}".encode())
    for file in files:
        status = os.stat(file)
        digest.update(
            f"\0{os.path.basename(file)}\0{status.st_size}\0{status.st_mtime_ns}".encode()
        )
    return digest.hexdigest()[:16]
