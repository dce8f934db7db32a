"""The two runs of a comparison, read from their folders."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlcourse.errors import UserError
from dlcourse.report.histories import read_history
from dlcourse.runs import run_folder, start_record
from dlcourse.schema.run_files import CONFIG, MANIFEST, RESULT
from dlcourse.terminal.command import own_name
from dlcourse.terminal.installed import short_path


@dataclass(frozen=True)
class Side:
    """One of the two runs. letter: ``A`` or ``B``. histories: the rows of each fold's epochs."""

    letter: str
    folder: Path
    config: dict[str, Any]
    choices: dict[str, str]
    result: dict[str, Any]
    histories: tuple[list[dict[str, Any]], ...]

    @property
    def name(self) -> str:
        """The name of the run's folder; for a fold with its run's."""
        folder = self.folder.resolve()
        fold = not (folder / CONFIG).exists()
        return f"{folder.parent.name}/{folder.name}" if fold else folder.name

    @property
    def folds(self) -> list[dict[str, Any]]:
        """The results of the folds of a cross-validation; empty for a single run."""
        return self.result.get("folds") or []


def read_sides(first: Path, second: Path) -> tuple[Side, Side]:
    """Read two finished runs. Raises UserError for runs that cannot be compared."""
    if first.resolve() == second.resolve():
        raise UserError(
            f"A and B are the same run, {short_path(first)}: there is nothing to compare.\n"
            f"Type {own_name('compare')} <folder of a run> <folder of another run>"
        )
    sides = read_side("A", first), read_side("B", second)
    tasks = [side.result["task"] for side in sides]
    if tasks[0] != tasks[1]:
        kinds = {"classification": "classifies", "regression": "predicts values"}
        both = [
            f"{short_path(side.folder)} {kinds[task]}"
            for side, task in zip(sides, tasks, strict=True)
        ]
        raise UserError(
            f"{' and '.join(both)}: they have no metric in common.\nType two runs of the same task"
        )
    if sides[0].result["classes"] != sides[1].result["classes"]:
        raise UserError(other_classes(*sides))
    return sides


def read_side(letter: str, folder: Path) -> Side:
    """Read a finished run, or a fold of one; raises UserError for any other folder."""
    shown = short_path(folder)
    if not folder.is_dir():
        raise UserError(f"{shown} is not a folder.\nType the folder of a finished run")
    if (folder / MANIFEST).exists():
        raise UserError(
            f"{shown} holds a sweep, and a comparison is of two runs.\n"
            f"Type the folders of two of its runs, or {own_name('collect')} {shown} for its table"
        )
    is_run = (folder / CONFIG).exists()
    whole = folder if is_run else folder.resolve().parent
    if not is_run and not ((whole / CONFIG).exists() and (folder / RESULT).exists()):
        raise UserError(
            f"{shown} is not a run's folder: {CONFIG} is not in it.\n"
            "Type the folder of a finished run, such as outputs/<date>/<run>"
        )
    result = run_folder.read_result(folder)
    if result is None:
        raise UserError(
            f"{shown} holds no finished run, and a comparison needs two.\n"
            f"Resume it first: {own_name()} resume={shown}"
        )
    folds = [folder / fold["name"] for fold in result.get("folds") or [{"name": "."}]]
    return Side(
        letter,
        folder,
        start_record.stored_config(whole),
        start_record.stored_choices(whole),
        result,
        tuple(read_history(fold) for fold in folds),
    )


def other_classes(first: Side, second: Side) -> str:
    """Return the message for two runs with different classes, or with another order of them."""
    a, b = first.result["classes"], second.result["classes"]
    only_a, only_b = (
        ", ".join(name for name in some if name not in others) for some, others in ((a, b), (b, a))
    )
    differ = [f"only A has {only_a}"] if only_a else []
    differ += [f"only B has {only_b}"] if only_b else []
    return (
        f"A ({short_path(first.folder)}, {first.result['data']}) and "
        f"B ({short_path(second.folder)}, {second.result['data']}) have different classes: "
        f"{'; '.join(differ) or 'the same names in another order'}.\n"
        "Type two runs on the same classes"
    )
