"""Time a few steps of a command instead of running all its epochs."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from math import ceil
from pathlib import Path
from statistics import fmean
from time import perf_counter

from dlcourse.data.streamed import StreamedSplit
from dlcourse.engine.autotune import USUAL
from dlcourse.engine.datasets import load_data
from dlcourse.engine.instantiate import build_all
from dlcourse.schema.catalogue import typed_value
from dlcourse.schema.compose import compose_checked
from dlcourse.timing.phases import measured_epochs
from dlcourse.timing.training import TimedTraining, observers_of
from dlcourse.timing.worker import wait_for_device

FEWEST, MOST = 3, 100  # steps of a timed epoch


class ShortRun:
    """The first fold of a run, trained for timing on only some of its examples per epoch."""

    def __init__(self, overrides: Sequence[str], config_dir: str | None) -> None:
        self.config = compose_checked(overrides, config_dir)
        build_all(self.config)
        self.dataset = load_data(self.config)
        self.ours = TimedTraining(self.config, self.dataset)
        self.whole = self.ours.fold
        self.passes = 1

    def facts(self) -> dict:
        """Return the main facts of the run as text."""
        import torch

        recipe, train = self.ours.recipe, self.whole.train
        shape = tuple(train.inputs.shape)
        return {
            "parameters": self.ours.parameters,
            "picked": {name: typed_value(getattr(self.ours.runtime, name)) for name in USUAL},
            "device": self.ours.runtime.describe(),
            "cpu": self.ours.runtime.device.type == "cpu",
            "threads": torch.get_num_threads(),
            "batch": recipe.batch_size,
            "examples": len(train),
            "steps": ceil(len(train) / recipe.batch_size),
            "images": len(shape) == 4,
            "streamed": isinstance(train, StreamedSplit),
            "gibibytes": sum(
                torch.Size(split.inputs.shape).numel()
                for split in (self.dataset.train, self.dataset.test)
            )
            / 2**30,
        }

    def calibrate(self, seconds: float) -> int:
        """Choose the number of examples of an epoch that takes about ``seconds``; return it."""
        size = self.ours.recipe.batch_size
        self.take(2 * size)
        self.epoch(0)
        started = perf_counter()
        self.epoch(1)
        wait_for_device()
        step = (perf_counter() - started) / 2
        examples = size * min(MOST, max(FEWEST, round(seconds / step)))
        self.take(examples)
        return examples

    def take(self, examples: int) -> None:
        """Set the number of examples of an epoch; a smaller training part is repeated."""
        available = len(self.whole.train)
        some = min(examples, available)
        self.passes = max(1, round(examples / available))
        val = self.whole.val
        if val is not None:
            val = val.stretch(0, min(len(val), max(1, some // 4)))
        self.ours.use(replace(self.whole, train=self.whole.train.stretch(0, some), val=val))

    def epoch(self, number: int) -> int:
        """Train an epoch of the length set by ``take``; return its number of examples."""
        for turn in range(self.passes):
            self.ours.state.history.clear()  # its records lack the validation metrics
            self.ours.epoch(number * self.passes + turn)
        return self.passes * len(self.ours.fold.train)

    def phases(self) -> dict[str, float]:
        """Return the seconds that an epoch of the whole command would take, by phase."""
        self.ours.state.history.clear()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doctor-")))
            observers = observers_of(self.config, folder, stack)
            laps = measured_epochs(self.ours, observers, self.passes)
        fold, whole = self.ours.fold, self.whole
        scale = dict.fromkeys(laps[0], len(whole.train) / len(fold.train)) | {"observers": 1}
        if fold.val is not None and whole.val is not None:
            scale["validation"] = len(whole.val) / len(fold.val)
        return {phase: fmean(lap[phase] for lap in laps) * scale[phase] for phase in scale}
