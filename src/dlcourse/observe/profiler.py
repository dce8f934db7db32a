"""PyTorch's profiler over some training steps."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import torch

from dlcourse import atomic_files
from dlcourse.core import Fold, Observer, Recipe, State
from dlcourse.schema.run_files import PLOTS, PROFILE
from dlcourse.terminal.installed import short_path


class Operator(NamedTuple):
    """An operator: its name, its calls and milliseconds per step, and its share of all time."""

    name: str
    calls: float
    milliseconds: float
    share: float


class Profiler(Observer):
    """Profiles ``steps`` training steps of one epoch after ``warmup`` steps.

    Writes ``profile/trace.pt.trace.json.gz``, which chrome://tracing, Perfetto and TensorBoard's
    profile tab read, ``profile/operators.json`` and the plot ``plots/operators``; prints the
    operators that take most time. Validation is not profiled. If an epoch has fewer than ``steps``
    steps, a whole epoch is profiled.

    rows: the number of operators in the table and the plot.
    """

    def __init__(self, folder: Path, *, warmup: int, steps: int, rows: int) -> None:
        self.folder, self.warmup, self.steps, self.rows = folder, warmup, steps, rows
        self.done = 0
        self.profile: Any = None
        self.finished = False
        self.plain: list[float] = []  # seconds of steps that were not profiled
        self.slowed: list[float] = []

    def start(self, state: State, recipe: Recipe, fold: Fold) -> None:
        self.device = fold.train.device
        self.graphs = torch.device(self.device).type == "cuda" and "eager" not in str(recipe.graph)

    def watch(self, batches: Iterable, count: int) -> Iterable:
        """Profile the steps that are due; nothing is changed."""
        return self.profiled(batches, count)

    def profiled(self, batches: Iterable, count: int) -> Iterator:
        """Yield the batches; code after ``yield`` runs after the step."""
        try:
            for place, batch in enumerate(batches):
                due = self.done >= self.warmup and (place == 0 or count - place >= self.steps)
                if due and self.profile is None and not self.finished:
                    self.begin()
                self.wait()
                started = perf_counter()
                yield batch
                self.wait()
                took = self.slowed if self.profile is not None else self.plain
                took.append(perf_counter() - started)
                self.done += 1
                if self.profile is not None and len(self.slowed) >= self.steps:
                    self.end()
        finally:
            if self.profile is not None:
                self.end()

    def wait(self) -> None:
        """Wait for the GPU while steps are timed, at most until the profile is written."""
        if torch.device(self.device).type == "cuda" and not self.finished:
            torch.cuda.synchronize()

    def begin(self) -> None:
        """Start the profiler, without what its library prints about itself."""
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")
        kinds = [torch.profiler.ProfilerActivity.CPU]
        if torch.device(self.device).type == "cuda":
            kinds.append(torch.profiler.ProfilerActivity.CUDA)
        self.profile = torch.profiler.profile(activities=kinds, acc_events=True)
        self.profile.start()

    def end(self) -> None:
        """Stop the profiler, write its files and print the table."""
        profile, self.profile, self.finished = self.profile, None, True
        profile.stop()
        trace = self.folder / PROFILE
        trace.parent.mkdir(parents=True, exist_ok=True)
        profile.export_chrome_trace(str(trace))
        self.found = operators_of(profile.key_averages(), len(self.slowed))[: self.rows]
        rows = [operator._asdict() for operator in self.found]
        numbers = {"steps": len(self.slowed), "overhead": self.overhead(), "operators": rows}
        atomic_files.write_json(trace.parent / "operators.json", numbers, indent=1)

    def overhead(self) -> float | None:
        """Return by what factor profiled steps took longer than others; None if it is not known."""
        plain = sorted(self.plain[min(self.warmup, 3) :])  # without the first steps
        if not plain or not self.slowed:
            return None
        slowed = sorted(self.slowed)
        return slowed[len(slowed) // 2] / plain[len(plain) // 2]

    def finish(self, state: State, result: dict) -> None:
        if not self.finished:
            print(f"No step was profiled: the run has fewer than {self.warmup} steps", flush=True)
            return
        print("\n".join(self.lines()), flush=True)
        self.draw()

    def lines(self) -> list[str]:
        """Return the table of operators as lines of text."""
        width = max(len(one.name) for one in self.found)
        step = sorted(self.slowed)[len(self.slowed) // 2] * 1e3
        factor = self.overhead()
        plain = f", and {step / factor:.2f} ms without the profiler" if factor else ""
        lines = [
            f"A training step takes {step:.2f} ms, the median of {len(self.slowed)}{plain}. "
            "The time in each operator itself:",
            f"  {'operator':{width}}  share   ms/step  calls/step",
        ]
        lines += [
            f"  {one.name:{width}}  {one.share:5.1%}  {one.milliseconds:8.3f}  {one.calls:10.1f}"
            for one in self.found
        ]
        if self.graphs:
            lines.append("A CUDA graph hides operators: type runtime.graph=false")
        trace = self.folder / PROFILE
        size = f"{trace.stat().st_size / 1e6:.1f} MB"
        return [*lines, f"Trace for chrome://tracing and Perfetto: {short_path(trace)} ({size})"]

    def draw(self) -> None:
        """Draw the operators as bars into ``plots/operators``."""
        from dlcourse.drawing.files import save_figure
        from dlcourse.drawing.operators import draw_operators

        bars = {one.name: one.milliseconds for one in self.found}
        save_figure(draw_operators(bars), self.folder / PLOTS / "operators")


def operators_of(averages: Sequence[Any], steps: int) -> list[Operator]:
    """Return the operators of a profile, those that take most time first.

    The time is that on the GPU if there is any, else on the CPU; each without what it calls.
    """
    own = [
        (one, float(one.self_device_time_total)) for one in averages if one.self_device_time_total
    ]
    own = own or [(one, float(one.self_cpu_time_total)) for one in averages]
    total = sum(time for _, time in own) or 1.0
    found = [
        Operator(one.key, one.count / steps, time / steps / 1e3, time / total) for one, time in own
    ]
    return sorted(found, key=lambda one: -one.milliseconds)
