"""What a tracker is given of a run: its name, its group, its config, and where it belongs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dlcourse.runs import start_record
from dlcourse.runs.labels import run_labels
from dlcourse.schema.overrides import leaves
from dlcourse.schema.run_files import CONFIG, MANIFEST

NOT_LOGGED = ("resume", "trust", "note", "tags")


@dataclass(frozen=True)
class Description:
    """A run, or a fold of one, as its tracker is to show it.

    folder: of the run or fold. above: the folders of the run that a fold belongs to and of the
    sweep that the run belongs to, the outermost first. config: its options, ``{"optim.lr": 0.1}``.
    """

    folder: str
    above: tuple[str, ...]
    name: str
    job_type: str
    note: str
    tags: tuple[str, ...]
    config: dict[str, Any]

    @property
    def group(self) -> str | None:
        """The name of the sweep, else of the cross-validation that this run belongs to."""
        return Path(self.above[0]).name if self.above else None

    def as_message(self) -> dict[str, Any]:
        """Return the description as values of JSON."""
        return asdict(self) | {"group": self.group}


def describe(folder: Path) -> Description:
    """Return the description of a run's or a fold's folder; empty options without a config."""
    folder = folder.resolve()
    fold = not (folder / CONFIG).exists() and (folder.parent / CONFIG).exists()
    run = folder.parent if fold else folder
    swept = (run.parent / MANIFEST).exists()
    above = ((run.parent,) if swept else ()) + ((run,) if fold else ())
    config = start_record.stored_config(run) if (run / CONFIG).exists() else {}
    labels = run_labels(config)
    return Description(
        str(folder),
        tuple(map(str, above)),
        f"{run.name} {folder.name}" if fold else run.name,
        "fold" if fold else "run",
        labels["note"] or "",
        tuple(map(str, labels["tags"])),
        logged_options(config, run),
    )


def logged_options(config: Mapping[str, Any], run: Path) -> dict[str, Any]:
    """Return the options of a run, with the names of its choices: ``{"model": "mlp", ...}``."""
    if not config:
        return {}
    values = dict(leaves(dict(config), private=False)) | start_record.stored_choices(run)
    logged = (key for key in values if key.split(".")[0] not in NOT_LOGGED)
    return {key: values[key] for key in logged if not key.startswith("observe.")}
