"""Resume a run with another end: other epochs, more time, or another rule for early stopping."""

import logging
import math
import os
from collections.abc import Iterator
from inspect import signature
from pathlib import Path

from dlcourse.core import Record, scores
from dlcourse.engine.assemble import make_schedule
from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError
from dlcourse.runs import run_folder, start_record
from dlcourse.schema import run_files
from dlcourse.schema.run_files import CHECKPOINTS
from dlcourse.train.checkpoint import history_of
from dlcourse.train.fit import CUT

log = logging.getLogger(__name__)


def move_the_end(config: dict, folder: Path, typed: list[str]) -> None:
    """Replace the stored config of a run, finished or not, so that it continues to another end.

    Results are first renamed to ``result.previous.json``: a run whose process is killed in between
    is unfinished, and never has a result that does not belong to its config.

    typed: the command's overrides. Raises UserError if the run has passed the new end already.
    """
    stored = start_record.stored_config(folder)
    places = ("data", "observe")  # may be other ones now, and decide nothing here
    old = start_record.with_environment(
        {k: v for k, v in stored.items() if k not in places}, folder
    )
    notes: dict[str, None] = {}
    for place in checkpoint_folders(folder):
        history = history_of(place)
        refuse_passed_end(config, old, history)
        notes |= dict.fromkeys(end_differences(config, old, history))
    for place in (folder, *checkpoint_folders(folder)):
        if run_folder.read_result(place) is not None:
            os.replace(place / run_files.RESULT, place / run_files.PREVIOUS)
    start_record.replace_config(folder, config, typed)
    for note in notes:
        log.info(note)
        print(note, flush=True)


def checkpoint_folders(folder: Path) -> list[Path]:
    """Return the folders of a run that hold checkpoints: its own, or those of its folds."""
    places = (folder / CHECKPOINTS, *folder.glob(f"fold*/{CHECKPOINTS}"))
    return sorted(path.parent for path in places if path.is_dir())


def refuse_passed_end(config: dict, old: dict, history: list[Record]) -> None:
    """Raise UserError if training has passed the new end already."""
    done = min(len(history), old["max_epochs"])
    if config["max_epochs"] < done:
        raise UserError(
            f"max_epochs={config['max_epochs']} is less than the {done:g} epochs that are done.\n"
            f"Type a max_epochs above {done:g}, or start a new run"
        )
    if config["stop"] == old["stop"]:
        return
    stop, past = build(config["stop"]), scores(history, config["monitor"], config["mode"])
    for epoch in range(1, len(history)):
        if stop(past[:epoch]):
            raise UserError(
                f"With this stop the run would have ended after epoch {epoch}, and {len(history)} "
                "are done.\nType a larger stop.patience, stop=never, or start a new run"
            )


def end_differences(config: dict, old: dict, history: list[Record]) -> Iterator[str]:
    """Yield notes on differences between this run and one that had the new end from the start."""
    new, before, done = config["max_epochs"], old["max_epochs"], len(history)
    if any(CUT in record.metrics for record in history):
        yield "Epoch 1 was cut by max_time, and stays so."
    if new == before or not history:
        return
    past = scores(history, config["monitor"], config["mode"])
    schedule, earlier = make_schedule(config), make_schedule(old)
    moments = [step / 4 for step in range(math.ceil(4 * min(done, before)))]
    if any(
        schedule(at, new, past[: int(at)]) != earlier(at, before, past[: int(at)]) for at in moments
    ):
        rate = schedule(done, new, past)
        yield (
            f"The schedule depends on max_epochs: epochs 1 to {done} had the learning rates for "
            f"max_epochs={before}, and epoch {done + 1} starts with {rate:g} times optim.lr. A run "
            f"with max_epochs={new} from the start would end differently."
        )
    if done > before:
        yield f"Epoch {done} was cut by max_epochs={before}, and stays so."
    if "steps" in signature(build(config["average"]).func).parameters:
        yield (
            "The average of the weights depends on max_epochs: a run with "
            f"max_epochs={new} from the start would end differently."
        )
