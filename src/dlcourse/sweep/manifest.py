"""The files of a sweep: ``sweep.json`` in its folder, ``failure.json`` in the folder of a job."""

import hashlib
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import filelock

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.runs import run_folder, start_record
from dlcourse.runs.file_shapes import FAILURE_SHAPE, manifest_misfit
from dlcourse.runs.migrate import earlier_defaults, without_later_keys
from dlcourse.schema import run_files
from dlcourse.schema.from_environment import storable
from dlcourse.schema.overrides import FROM_ENVIRONMENT, check_overrides, is_free, key_of, leaves
from dlcourse.schema.passwords import concealed_override
from dlcourse.schema.run_files import FAILURE, MANIFEST
from dlcourse.schema.untrusted import load_json
from dlcourse.terminal.refused import in_full

MAY_CHANGE = (
    "workers", "on_error", "job_timeout", "check", "engine", "sweep.trials", "sweep.draws",
    "data.root", "trust",
)  # fmt: skip
"""Keys whose overrides may be typed with ``resume=<sweep folder>``."""


DEFAULTS_VERSION = 3
"""The version of the options' defaults; see ``earlier_defaults``."""


@dataclass
class Manifest:
    """The content of ``sweep.json``.

    words, config_dir: the overrides and ``--config-dir`` of the command, to run it again.
    identity: a hash that is equal for two commands of the same sweep. keys: the keys that vary.
    threads: CPU threads of each job. points: for each point its overrides (``words``), its values
    and the names of its jobs' folders.
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
    streams: int = 1  # the version of the random streams; older manifests do not store it
    defaults: int = 1  # the version of the options' defaults; older manifests do not store it

    def set_point(self, number: int, overrides: Sequence[str], jobs: Sequence[str]) -> None:
        """Add or replace a point; jobs: the names of their folders. Points stay in order."""
        overrides = [concealed_override(text) for text in overrides]
        values = values_of(overrides)
        point = {"number": number, "words": overrides, "values": values, "jobs": list(jobs)}
        place = bisect_left(self.points, number, key=lambda point: point["number"])
        known = place < len(self.points) and self.points[place]["number"] == number
        self.points[place : place + known] = [point]

    def write(self, folder: Path) -> None:
        """Write ``sweep.json`` atomically."""
        atomic_files.write_json(folder / MANIFEST, asdict(self), indent=1)


def storable_overrides(overrides: Sequence[str]) -> list[str]:
    """Return the overrides of a sweep that are stored: without ``resume`` and without passwords."""
    return [
        concealed_override(text) for text in overrides
        if key_of(text) != "resume" and not key_of(text).startswith("hydra.job.env_set")
    ]  # fmt: skip


def read_manifest(folder: Path) -> Manifest | None:
    """Return a sweep's manifest, or None if there is none; raises UserError for a damaged one.

    The file may come from anybody, so its overrides are checked (``check_overrides``), and the
    names of jobs' folders must not lead out of the sweep's folder.
    """
    path = folder / MANIFEST
    try:
        content = load_json(path)
        problem = manifest_misfit(content, resumed=True)
        if problem:
            raise ValueError(problem)
        manifest = Manifest(**content)
        check_overrides(manifest.words, path)
        manifest.words += earlier_defaults(manifest.words, manifest.defaults)
        return manifest
    except FileNotFoundError:
        return None
    except OSError as error:  # the file may be intact
        raise UserError(in_full(error)) from error
    except (ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} cannot be read: {error}.\n"
            "Delete it and type the sweep's command again with hydra.sweep.dir=<its folder>"
        ) from error


def stored_configs(folder: Path) -> list[dict[str, Any]]:
    """Return the configs of a sweep's jobs that have started."""
    configs = sorted(folder.glob(f"*/{run_files.CONFIG}"))
    return [start_record.stored_config(path.parents[1]) for path in configs]


def identity_of(config: dict, parts: Sequence[str], *, secrets: bool = False) -> str:
    """Return a hash that identifies a sweep: of the values that all jobs share, and the spaces.

    config: composed of the fixed overrides. parts: the spaces and the options of the sweep as text.
    secrets: whether values from the environment and passwords are part of it, as in earlier
        versions; they could be guessed from the hash.
    """
    if secrets:
        config = {key: value for key, value in config.items() if key != FROM_ENVIRONMENT}
    known = leaves(without_later_keys(config if secrets else storable(config)))
    shared = [(key, value) for key, value in known if not is_free(key)]
    text = atomic_files.to_json([sorted(map(str, shared)), sorted(parts)])
    return hashlib.sha256(text.encode()).hexdigest()


def claim_folder(wanted: Path, manifest: Manifest, *, typed: bool) -> Path:
    """Return the folder of this sweep: the one in which it was started, or a new one.

    wanted: the path of a new folder. typed: whether the user typed it, so that no other folder is
    used. A new folder gets the manifest. Raises UserError if ``wanted`` was typed and holds a run
    or another sweep, and if it cannot be written.
    """
    parent = wanted.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(parent / ".lock", timeout=60):
            folder = find_folder(wanted, manifest.identity, typed=typed)
            if folder is None:
                folder = run_folder.make_folder(wanted) if typed else run_folder.claim(wanted)
                manifest.write(folder)
            return folder
    except OSError as error:
        raise run_folder.unwritable(wanted, error, "hydra.sweep.dir") from error


def refuse_other_contents(folder: Path, identity: str) -> Path:
    """Return the folder; raises UserError if it holds a run or another sweep."""
    if (folder / run_files.CONFIG).exists():
        raise UserError(f"The folder {folder} holds a run.\nType another hydra.sweep.dir")
    if (folder / MANIFEST).exists() and not holds_sweep(folder, identity):
        raise UserError(
            f"The folder {folder} holds another sweep: other overrides were typed, or YAML files "
            "have changed since.\n"
            f"Type resume={folder} to resume that one, or another hydra.sweep.dir"
        )
    return folder


def find_folder(wanted: Path, identity: str, *, typed: bool) -> Path | None:
    """Return the folder in which this sweep was started, or None; nothing is created.

    Raises UserError if the user typed a folder that holds something else.
    """
    if typed:
        return wanted if (refuse_other_contents(wanted, identity) / MANIFEST).exists() else None
    started = sorted(wanted.parent.glob(f"*/{MANIFEST}"), reverse=True)
    return next((path.parent for path in started if holds_sweep(path.parent, identity)), None)


def holds_sweep(folder: Path, identity: str) -> bool:
    """Return whether a folder holds the sweep of this identity; False for a damaged manifest."""
    try:
        return load_json(folder / MANIFEST)["identity"] == identity
    except (OSError, ValueError, KeyError, TypeError):
        return False


def write_failure(folder: Path, reason: str, status: int | None, attempts: int) -> None:
    """Write ``failure.json``: the job counts as failed until it is run again.

    The job's own note that it diverged is kept. An earlier result is deleted, so that only jobs
    that are done have a ``result.json``.
    """
    (folder / run_files.RESULT).unlink(missing_ok=True)
    note = read_failure(folder) or {}
    failure = {"reason": reason, "status": status, "attempts": attempts, "log": run_files.OUTPUT}
    write_note(folder, FAILURE, note | failure)


def read_failure(folder: Path) -> dict | None:
    """Return the content of a job's ``failure.json``; None if there is none."""
    return run_folder.read_json(folder / FAILURE, "run the sweep again", FAILURE_SHAPE)


def write_note(folder: Path, name: str, note: dict) -> None:
    """Write ``failure.json`` or ``pruned.json`` into a job's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    atomic_files.write_json(folder / name, note, indent=1)


def values_of(overrides: Sequence[str]) -> dict[str, str]:
    """Return ``{"optim.lr": "0.1"}`` for ``["optim.lr=0.1"]``."""
    parts = (override.partition("=") for override in overrides)
    return {re.sub(r"^\+", "", key): value for key, _, value in parts}
