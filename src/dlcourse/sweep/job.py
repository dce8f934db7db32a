"""A job of a sweep: one run in a folder of its own."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from dlcourse.errors import UserError
from dlcourse.runs import run_folder
from dlcourse.schema.composer import Composer
from dlcourse.schema.overrides import key_of
from dlcourse.sweep.conditional_keys import Overrides

MAX_NAME_LENGTH = 120  # characters of a folder's name


def unescaped(override: str) -> str:
    """Return an override without the backslashes that Hydra's grammar adds to a swept value."""
    return re.sub(r"\\([\\()\[\]{}:=, \t])", r"\1", override)


@dataclass(frozen=True)
class Job:
    """One run of a sweep: its own overrides, its folder and its whole config.

    overrides: the overrides that distinguish it, ``("optim=sgd", "optim.lr=0.1", "seed=3")``.
    folder: only its name, until the sweep has a folder. compose: returns the composed config with
    Hydra's part. config: the same as a dict without Hydra's part; jobs share parts of it.
    """

    overrides: Overrides
    folder: Path
    compose: Callable[[], DictConfig] = field(compare=False, repr=False)
    config: dict[str, Any] = field(compare=False, repr=False)

    @property
    def cfg(self) -> DictConfig:
        """The composed config with Hydra's part, not kept: thousands would fill the memory."""
        return self.compose()

    @property
    def label(self) -> str:
        """The overrides as the user would type them, for the screen."""
        return " ".join(map(unescaped, self.overrides)) or "defaults"

    @property
    def takes_any_gpu(self) -> bool:
        """Whether the config names no GPU, so that the sweep chooses one."""
        return self.config["runtime"].get("device") in ("auto", "cuda")

    @property
    def devices(self) -> int:
        """The number of devices that share the job's batches."""
        return self.config["runtime"].get("devices", 1)

    @property
    def keys(self) -> list[str]:
        """The keys of its overrides, ``["optim", "optim.lr", "seed"]``."""
        return [key_of(override) for override in self.overrides]

    def inside(self, sweep: Path) -> "Job":
        """Return the same job with its folder inside the sweep's folder."""
        return replace(self, folder=sweep / self.folder.name)

    def result(self) -> dict | None:
        """Return the content of the run's ``result.json``, or None while there is none."""
        return run_folder.read_result(self.folder)


class FolderNames:
    """Names the jobs' folders: short, and different for different overrides."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.short = short_keys(keys)
        self.taken: dict[str, Overrides] = {}

    def keep(self, name: str, overrides: Overrides) -> None:
        """Reserve a name that an earlier command gave to these overrides."""
        self.taken[name] = tuple(sorted(overrides, key=key_of))

    def name(self, overrides: Overrides) -> str:
        """Return ``optim-sgd_lr-0.1`` for ``("optim=sgd", "optim.lr=0.1")``, in any order."""
        overrides = tuple(sorted(overrides, key=key_of))
        parts = []
        for override in overrides:
            key, _, value = override.partition("=")
            parts.append(folder_text(f"{self.short.get(key, key)}={value}"))
        name = folder_text("_".join(parts)) or "defaults"
        if len(name) > MAX_NAME_LENGTH or self.taken.get(name, overrides) != overrides:
            digest = hashlib.sha256("\n".join(overrides).encode()).hexdigest()[:8]
            name = f"{name[:MAX_NAME_LENGTH]}-{digest}"
        self.taken[name] = overrides
        return name


def short_keys(keys: Sequence[str]) -> dict[str, str]:
    """Return the last part of every key, or the whole key where two would be the same."""
    last = {key: key.split(".")[-1].lstrip("+") for key in keys}
    names = list(last.values())
    return {key: name if names.count(name) == 1 else key for key, name in last.items()}


def folder_text(text: str) -> str:
    """Replace every run of characters that are not allowed in a folder's name by a dash."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")


def make_jobs(point: Overrides, composer: Composer, seeds: int, names: FolderNames) -> list[Job]:
    """Compose and check a point; return one job for each of its repeats.

    composer: with the overrides that are the same in every job. seeds: the number of seeds, counted
    up from the point's own seed. Raises UserError for a config that cannot be run.
    """
    composed = composer.compose(point)
    config = composed.config()
    if config["resume"] is not None:
        raise UserError("resume= resumes one folder, a run's or a sweep's.\nLeave -m out")
    composed.check(config)
    jobs = []
    for repeat in repeats_of(config, seeds, point):
        overrides = (*point, *(f"{key}={number}" for key, number in repeat.items()))
        own = composed.config(repeat) if repeat else config
        cfg = partial(composed.cfg, repeat)
        jobs.append(Job(overrides, Path(names.name(overrides)), cfg, own))
    return jobs


def repeats_of(config: dict, seeds: int, point: Overrides) -> list[dict[str, int]]:
    """Return the overrides of every repeat of a point: seeds, and outer folds of nested folds."""
    repeats: list[dict[str, int]] = [{}]
    if seeds > 1:
        repeats = [{"seed": config["seed"] + number} for number in range(seeds)]
    outer = config["split"].get("outer")
    typed = {override.partition("=")[0] for override in point}
    if outer is None or "split.fold" in typed:
        return repeats
    return [repeat | {"split.fold": fold} for repeat in repeats for fold in range(outer)]
