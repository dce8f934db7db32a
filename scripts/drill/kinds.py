"""The tiny runs of the drill: of real digits, with every source of random numbers."""

import io
import shutil
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf

from dlcourse.engine.job import run_job
from dlcourse.schema.compose import compose_job, hydra_of_run, without_hydra
from dlcourse.schema.hydra_api import set_up_logging
from dlcourse.terminal.command import one_message

TINY = (
    "data=digits", "data.examples=60", "data.test_examples=20", "batch_size=16",
    "model=mlp", "model.widths=[8]", "model.dropout=0.2", "augment=[noise]", "optim=adam",
    "schedule=plateau", "schedule.patience=1", "stop=never", "observe=[history]",
    "runtime=cpu", "runtime.threads=1",
)  # fmt: skip
KINDS = {
    "plain": ("max_epochs=6",),
    "folds": ("max_epochs=3", "split=stratified_kfold", "split.folds=3"),
    "in epochs": ("max_epochs=3", "batch_size=4", "checkpoint_every=3", "average=ema"),
    "together": ("max_epochs=3", "split=kfold", "split.folds=8", "engine=together"),
}
"""Overrides by the name of a kind of run. ``in epochs`` writes checkpoints within its epochs, and
the folds of ``together`` are trained as one model."""


class Kind(NamedTuple):
    """A kind of run: its name, its overrides, and what is composed of them, with Hydra's part."""

    name: str
    overrides: list[str]
    config: dict
    composed: DictConfig

    def run(self, folder: Path) -> None:
        """Start the run in a folder, or resume the one in it."""
        folder.mkdir(exist_ok=True)
        run_job(self.config, folder, self.overrides)

    def run_with_log(self, folder: Path) -> None:
        """Do the same with a log and with one message for an error, as the command line does."""
        with one_message():
            folder.mkdir(exist_ok=True)
            hydra = hydra_of_run(self.composed, folder)
            set_up_logging(hydra.hydra)
            text = OmegaConf.to_yaml(hydra)
            run_job(self.config, folder, self.overrides, hydra=text)


def compose_kind(name: str, more: Sequence[str], data: Path) -> Kind:
    """Return a kind of run; more: its own overrides. data: the folder for the decoded digits."""
    overrides = [*TINY, f"data.root={data}", *more]
    composed = compose_job(overrides, None)
    return Kind(name, overrides, without_hydra(composed), composed)


def warm_up(kind: Kind, folder: Path) -> None:
    """Train a run in this process, with one thread: its forks have imported all that it needs."""
    torch.set_num_threads(1)
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        kind.run(folder)
    shutil.rmtree(folder)
