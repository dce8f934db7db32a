"""What a sweep writes down: ``sweep.json`` in its folder, and ``failure.json`` in a job's."""

import hashlib
import json
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import filelock

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.runs import run_folder
from dlcourse.runs.run_folder import FAILURE, SWEEP
from dlcourse.schema.overrides import check_overrides, is_free, key_of, leaves

OUTPUT = "output.txt"
MAY_CHANGE = ("workers", "on_error", "check", "sweep.trials", "sweep.draws", "data.root", "trust")
"""Words that may be typed with ``resume=<sweep folder>``."""


@dataclass
class Manifest:
    """What ``sweep.json`` holds.

    words, config_dir: the command, to be given again. identity: what makes two commands the same
    sweep. keys: what varies. threads: of each job. points: for each, its words, its values and the
    names of its jobs' folders.
    """

    words: list[str]
    config_dir: str | None
    identity: str
    method: str
    keys: list[str]
    monitor: str
    mode: str
    threads: int
    points: list[dict[str, Any]] = field(default_factory=list)
    streams: int = 1  # the version of the random numbers; older records do not name it

    def set_point(self, number: int, overrides: Sequence[str], jobs: Sequence[str]) -> None:
        """Add or replace a point; jobs: the names of their folders. Points stay in order."""
        values = values_of(overrides)
        point = {"number": number, "words": list(overrides), "values": values, "jobs": list(jobs)}
        place = bisect_left(self.points, number, key=lambda point: point["number"])
        known = place < len(self.points) and self.points[place]["number"] == number
        self.points[place : place + known] = [point]

    def write(self, folder: Path) -> None:
        """Write ``sweep.json``, whole or not at all."""
        atomic_files.write_json(folder / SWEEP, asdict(self), indent=1)


def storable_overrides(overrides: Sequence[str]) -> list[str]:
    """Return the overrides of a sweep as they are written down: no ``resume``, and no password."""
    return [without_password(override) for override in overrides if key_of(override) != "resume"]


def without_password(address: str) -> str:
    """Return ``mysql://me:***@host/study`` for ``mysql://me:secret@host/study``."""
    return re.sub(r"(://[^/@:]*):[^/]*@", r"\1:***@", address)


def read_manifest(folder: Path) -> Manifest | None:
    """Return a sweep's manifest, or None where there is none; raises UserError for a damaged one.

    It is data that may come from anybody: see ``check_overrides``. The names of jobs' folders stay
    inside the sweep's.
    """
    path = folder / SWEEP
    try:
        manifest = Manifest(**json.loads(path.read_text(encoding="utf-8")))
        check_overrides(manifest.words, path)
        if not isinstance(manifest.config_dir, str | None) or type(manifest.threads) is not int:
            raise TypeError("config_dir is a text or null, threads a whole number")
        for point in manifest.points:
            if any(Path(name).name != name for name in point["jobs"]):
                raise ValueError(f"{point['jobs']} are not names of folders")
        return manifest
    except FileNotFoundError:
        return None
    except PermissionError:
        raise  # it is whole; ``one_message`` says what to do
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read: {error}.\n"
            "Delete it and type the sweep's command again with hydra.sweep.dir=<its folder>"
        ) from error


def stored_configs(folder: Path) -> list[dict[str, Any]]:
    """Return the configs of the jobs of a sweep that have begun."""
    configs = sorted(folder.glob(f"*/{run_folder.CONFIG}"))
    return [run_folder.stored_config(path.parents[1]) for path in configs]


def identity_of(config: dict, words: Sequence[str]) -> str:
    """Return what makes two commands the same sweep: what all jobs share, and what varies.

    config: plain, of the words that are the same in every job. words: the ones that vary, and
    those of the sweep itself.
    """
    shared = [(key, value) for key, value in leaves(config) if not is_free(key)]
    text = atomic_files.to_json([sorted(map(str, shared)), sorted(words)])
    return hashlib.sha256(text.encode()).hexdigest()


def claim_folder(wanted: Path, manifest: Manifest, *, typed: bool) -> Path:
    """Return the folder of this sweep: the one where it began, or a new one with its manifest.

    wanted: what a new one is called. typed: the user has named it, and means that folder and no
    other. Raises UserError where another sweep or a run lies in it.
    """
    parent = wanted.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(parent / ".lock", timeout=60):
            folder = find_folder(wanted, manifest.identity, typed=typed)
            if folder is None:
                folder = run_folder.make(wanted) if typed else run_folder.claim(wanted)
                manifest.write(folder)
            return folder
    except OSError as error:
        raise run_folder.unwritable(wanted, error, "hydra.sweep.dir") from error


def refuse_other_contents(folder: Path, identity: str) -> Path:
    """Return the folder; raises UserError where a run or another sweep lies in it."""
    if (folder / run_folder.CONFIG).exists():
        raise UserError(f"The folder {folder} holds a run.\nType another hydra.sweep.dir")
    if (folder / SWEEP).exists() and not holds_sweep(folder, identity):
        raise UserError(
            f"The folder {folder} holds another sweep: of other words, or of YAML files that have "
            "changed since.\n"
            f"Type resume={folder} to go on with that one, or another hydra.sweep.dir"
        )
    return folder


def find_folder(wanted: Path, identity: str, *, typed: bool) -> Path | None:
    """Return the folder in which this sweep was begun, or None; nothing is made.

    Raises UserError where the user has named a folder that holds something else.
    """
    if typed:
        return wanted if (refuse_other_contents(wanted, identity) / SWEEP).exists() else None
    begun = sorted(wanted.parent.glob(f"*/{SWEEP}"), reverse=True)
    return next((path.parent for path in begun if holds_sweep(path.parent, identity)), None)


def holds_sweep(folder: Path, identity: str) -> bool:
    """Return whether a folder's sweep is this one; a damaged manifest is no one's."""
    try:
        return json.loads((folder / SWEEP).read_text(encoding="utf-8"))["identity"] == identity
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_failure(folder: Path, reason: str, status: int | None, attempts: int) -> None:
    """Write down why a job has failed; from then on it counts as failed until it is run again.

    What the job itself has recorded, that it diverged, stays; its earlier
    result goes, so that every ``result.json`` in a sweep is that of a job that is done.
    """
    (folder / run_folder.RESULT).unlink(missing_ok=True)
    note = run_folder.read_json(folder / FAILURE, "run the sweep again") or {}
    told = {"reason": reason, "status": status, "attempts": attempts, "log": OUTPUT}
    write_note(folder, FAILURE, note | told)


def write_note(folder: Path, name: str, told: dict) -> None:
    """Write ``failure.json`` or ``pruned.json`` into a job's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    atomic_files.write_json(folder / name, told, indent=1)


def values_of(words: Sequence[str]) -> dict[str, str]:
    """Return ``{"optim.lr": "0.1"}`` of ``["optim.lr=0.1"]``."""
    return {re.sub(r"^\+", "", word.partition("=")[0]): word.partition("=")[2] for word in words}
