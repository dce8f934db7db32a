"""What to export and how, read from a command's options. Imports no torch."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dlcourse.errors import UserError, nearest
from dlcourse.export.formats import EXPORT_FORMATS, is_export
from dlcourse.runs import run_folder
from dlcourse.schema.arguments import choice_argument, number_argument, whole_number_argument
from dlcourse.schema.kinds import Number
from dlcourse.terminal.extras import refuse_missing
from dlcourse.terminal.installed import short_path

EXPORT_DEFAULTS = {
    "fold": "",
    "views": "true",
    "opset": "",
    "tolerance": "1e-5",
    "verify": "test",
    "data.root": "",
    "trust": "",
}
"""The options of an export besides run, format and to."""
OPSETS = Number(18, 25, whole=True, example=20)  # which PyTorch writes without conversion
TOLERANCES = Number(0, math.inf, example=1e-5)
FOLD = Number(0, math.inf, whole=True, example=0)


class ExportRequest(NamedTuple):
    """An export.

    run: the folder of a run or a fold. to: the folder to make.
    fold: the number of the fold to export; None for all of them, averaged.
    views: whether the run's views are part of the model. opset: of ONNX; None for PyTorch's choice.
    tolerance: the largest difference from the run's model.
    verify: the inputs on which it is verified: the ``test`` part, or ``random`` ones.
    root: replaces ``data.root``. trust: modules outside dlcourse that the config may call.
    """

    run: Path
    format: str
    to: Path
    fold: int | None
    views: bool
    opset: int | None
    tolerance: float
    verify: str
    root: str
    trust: tuple[str, ...]


def read_export_request(
    run: Path, format: str, to: str, options: Mapping[str, str]
) -> ExportRequest:
    """Check an export's options; raises UserError for what is known to be wrong without torch.

    options: the values of ``EXPORT_DEFAULTS`` as typed.
    """
    choice_argument({"format": format}, "format", list(EXPORT_FORMATS))
    for module in EXPORT_FORMATS[format].needs:
        refuse_missing(module, f"format={format}")
    if options["opset"] and format != "onnx":
        raise UserError(f"opset= belongs to format=onnx, got format={format}.\nLeave opset out")
    if is_export(run):
        raise UserError(
            f"{short_path(run)} is an exported model, not a run.\nName the run that it is from"
        )
    choice_argument(options, "views", ["true", "false"])
    choice_argument(options, "verify", ["test", "random"])
    fold = whole_number_argument(options, "fold", FOLD) if options["fold"] else None
    refuse_missing_fold(run, fold)
    ending = "" if fold is None else f"-fold{fold}"
    folder = Path(to) if to else run / "export" / f"{format}{ending}"
    refuse_existing(folder)
    return ExportRequest(
        run,
        format,
        folder,
        fold,
        options["views"] == "true",
        whole_number_argument(options, "opset", OPSETS) if options["opset"] else None,
        number_argument(options, "tolerance", TOLERANCES),
        options["verify"],
        options["data.root"],
        tuple(name for name in options["trust"].strip("[]").split(",") if name),
    )


def request_of(run: Path, format: str, to: str, options: Mapping[str, Any]) -> ExportRequest:
    """Return the request of options with values of Python; raises UserError for unknown ones."""
    for key in options.keys() - EXPORT_DEFAULTS.keys():
        raise UserError(f"{key} is not an option of an export; {nearest(key, EXPORT_DEFAULTS)}")
    typed = {key: str(value).lower() if isinstance(value, bool) else str(value)
             for key, value in options.items() if value is not None}  # fmt: skip
    return read_export_request(run, format, to, {**EXPORT_DEFAULTS, **typed})


def refuse_missing_fold(run: Path, fold: int | None) -> None:
    """Raise UserError for the number of a fold that a run does not have."""
    if fold is None:
        return
    result = run_folder.read_result(run) or {}
    names = [one["name"] for one in result.get("folds", [])]
    if result and not names:
        raise UserError(
            f"fold={fold}: {short_path(run)} has one model and no folds.\nLeave fold out"
        )
    if names and f"fold{fold}" not in names:
        raise UserError(
            f"fold={fold}: {short_path(run)} has the folds 0 to {len(names) - 1}.\n"
            f"Type fold={len(names) - 1}, or leave fold out for the average of all"
        )


def refuse_existing(folder: Path) -> None:
    """Raise UserError if there is already something where an export would be written."""
    if folder.exists():
        raise UserError(
            f"{short_path(folder)} is already there, and an export replaces nothing.\n"
            "Type to=<a new folder>"
        )
