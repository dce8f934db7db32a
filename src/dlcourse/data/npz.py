"""A user's own arrays in a file of numpy."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from dlcourse.atomic_files import has_right_text
from dlcourse.core import Dataset
from dlcourse.data.arrays import dataset_of_arrays, find_arrays, need_train
from dlcourse.errors import UserError, shown

log = logging.getLogger(__name__)


def npz(
    *,
    root: Path,
    seed: int,
    file: str,
    inputs: str | None,
    targets: str | None,
    task: str,
    layout: str,
    test_fraction: float,
) -> Dataset:
    """Return the arrays of an ``.npz`` file, or of a folder of ``.npy`` files.

    The arrays are ``x`` (features (N, D), grey images (N, H, W), or images with channels) and
    ``y``, or ``x_train``, ``y_train``, ``x_test`` and so on; ``classes`` can name the classes,
    ``weights`` weight the examples, ``ids`` name them. ``arrays.ROLES`` has other usual keys.

    file: in ``root``.
    inputs, targets: the keys of inputs and targets, without the part; None: the usual ones.
    task: ``classification``, ``multilabel`` or ``regression``.
    layout: order of the axes of images, ``nhwc``, ``nchw`` or ``auto``.
    test_fraction: where there is no test part, its share of the examples, stratified by class.

    Raises UserError for a file that cannot be read, and for arrays that are no data set. Objects
    are never unpickled.
    """
    path = root / file
    arrays = read_arrays(path)
    found = find_arrays(arrays, inputs, targets)
    parts = need_train(found, shown(path))
    if found.others:
        log.warning(
            "%s: arrays without a use are left out: %s", shown(path), ", ".join(found.others)
        )
    return dataset_of_arrays(
        {part: {role: (f"{shown(path.name)}, {key}", array) for role, (key, array) in some.items()}
         for part, some in parts.items()},
        name=path.stem,
        task=task,
        layout=layout,
        test_fraction=test_fraction,
        seed=seed,
        classes=found.names.get("classes"),
        features=found.names.get("features", ()),
        target_names=found.names.get("classes", ()),
    )  # fmt: skip


def read_arrays(path: Path) -> Mapping[str, Any]:
    """Return the arrays of a file or a folder by their names; raises UserError if that fails."""
    try:
        if path.is_dir():
            files = sorted(path.glob("*.npy"))
            if not files:
                raise UserError(
                    f"The folder {shown(path)} has no .npy files.\n"
                    "Put x.npy and y.npy there, or type data.file=<a file in data.root>"
                )
            arrays = {one.stem: np.load(one, allow_pickle=False) for one in files}
        else:
            with open(path, "rb") as file:  # numpy leaves it open for a damaged archive
                arrays = arrays_in(file, path)
        if not all(map(has_right_text, arrays.values())):
            raise ValueError("it holds text with characters that do not exist")
        return arrays
    except FileNotFoundError as error:
        raise UserError(
            f"{shown(path)} does not exist.\nType data.root=<its folder> data.file=<its name>"
        ) from error
    except UserError:
        raise
    except Exception as error:  # zlib, zipfile and numpy raise many kinds for damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        hint = "Save it without Python objects: as texts (dtype=str) or numbers"
        if "pickle" not in reason:
            hint = "Save it again by numpy.savez"
        raise UserError(f"{shown(path)} cannot be read: {shown(reason)}.\n{hint}") from error


def arrays_in(file: IO[bytes], path: Path) -> Mapping[str, Any]:
    """Return the arrays of an open file; raises UserError if it holds a single one."""
    content = np.load(file, allow_pickle=False)
    if isinstance(content, np.ndarray):
        raise UserError(
            f"{shown(path)} is one array, and a data set has inputs and targets.\n"
            "Save both by numpy.savez('my.npz', x=x, y=y), or put x.npy and y.npy into a folder "
            "and type data.file=<the folder>"
        )
    with content:
        arrays = {key: content[key] for key in content.files}
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise ValueError("it holds more than arrays")
    return arrays
