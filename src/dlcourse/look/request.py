"""Read and check what ``dlcourse look`` is given, before torch is imported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError, nearest
from dlcourse.look.registry import WHATS, Option, chosen_whats
from dlcourse.runs import run_folder
from dlcourse.schema import run_files
from dlcourse.schema.kinds import as_number
from dlcourse.terminal.command import own_name
from dlcourse.terminal.installed import short_path

COMMON = {
    "fold": Option(0, "fold of a cross-validation"),
    "data.root": Option("", "where the data are, if not where the run found them"),
    "trust": Option("", "module of your own model, data or layer"),
}
"""The options that every ``what`` has."""


@dataclass(frozen=True)
class Request:
    """What is looked at, checked as far as the run's files allow.

    run: the folder of the run. folder: that of the model, which in cross-validation is a fold's.
    result: the content of its result.json. options: the values of the options of each ``what``.
    typed: the texts of the options that were typed.
    """

    run: Path
    folder: Path
    result: Mapping[str, Any]
    options: Mapping[str, Mapping[str, Any]]
    typed: Mapping[str, str]
    trust: str
    data_root: str


def read_request(run: str | PathLike[str], what: str, typed: Mapping[str, Any]) -> Request:
    """Return a checked request; raises UserError for an unknown ``what``, option, value or run.

    typed: the values of the options, as text or as Python values, a list for several.
    """
    whats = chosen_whats(what)
    texts = {key: as_typed(value) for key, value in typed.items()}
    known = dict.fromkeys([*COMMON, *(name for one in whats for name in WHATS[one].options)])
    for key, value in texts.items():
        if key not in known:
            takers = [one for one in WHATS if key in WHATS[one].options]
            reason = f"it is an option of {', '.join(takers)}" if takers else nearest(key, known)
            raise UserError(
                f"{key}={value} is no option of what={','.join(whats)}; {reason}.\n"
                f"Type {own_name('look')} what={whats[0]} --help for its options"
            )
    folder, result = model_folder(Path(run), texts.get("fold", ""))
    options = {
        one: {
            name: option_value(name, option, texts.get(name, ""), result)
            for name, option in WHATS[one].options.items()
        }
        for one in whats
    }
    own = {key: text for key, text in texts.items() if key not in COMMON and text}
    return Request(
        run=Path(run),
        folder=folder,
        result=result,
        options=options,
        typed=own,
        trust=texts.get("trust", ""),
        data_root=texts.get("data.root", ""),
    )


def as_typed(value: Any) -> str:
    """Return a Python value as it would be typed."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def model_folder(run: Path, fold: str) -> tuple[Path, dict]:
    """Return the folder of the model, and the content of its result.json.

    Raises UserError for a folder without a finished run, and for a fold that does not exist.
    """
    result = run_folder.read_result(run)
    if result is None:
        raise UserError(not_finished(run))
    folds = [one["name"] for one in result.get("folds", ())]
    if not folds:
        if fold not in ("", "0"):
            raise UserError(f"fold={fold} does not exist: {short_path(run)} has no folds")
        return run, result
    name = f"fold{fold.removeprefix('fold') or 0}"
    if name not in folds:
        numbers = ", ".join(one.removeprefix("fold") for one in folds)
        raise UserError(f"fold={fold} does not exist. Allowed: {numbers}")
    own = run_folder.read_result(run / name)
    if own is None:
        raise UserError(not_finished(run / name))
    return run / name, own


def not_finished(folder: Path) -> str:
    """Return the message for a folder without a finished run."""
    shown = short_path(folder)
    if not folder.is_dir():
        return f"The folder {shown} does not exist.\nType {own_name('look')} <folder of a run>"
    if (folder / run_files.MANIFEST).exists():
        return f"{shown} is the folder of a sweep.\nType {own_name('look')} {shown}/<job>"
    if not (folder / run_files.CONFIG).exists():
        return (
            f"{shown} is not a run's folder: {run_files.CONFIG} is not in it.\n"
            f"Type {own_name('look')} <folder of a finished run>"
        )
    return (
        f"{shown} holds no finished run: {run_files.RESULT} is not in it.\n"
        f"Name another folder, or finish it first: {own_name()} resume={shown}"
    )


def option_value(name: str, option: Option, text: str, result: Mapping[str, Any]) -> Any:
    """Return the value of an option; raises UserError if it is not allowed."""
    if not text:
        return option.default
    if option.read is not None:
        return option.read(text, result)
    if option.kind is None:
        return text
    flags = {"true": True, "false": False}
    value = flags.get(text, as_number(text))
    value = text if value is None else value
    if not option.kind.allows(value):
        raise UserError(
            f"{name}={text} is not allowed: {name} takes {option.kind}.\n"
            f"Type, for example, {name}={option.default or option.kind.example}"
        )
    return value
