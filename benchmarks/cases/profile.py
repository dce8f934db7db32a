"""The share of each phase in the time of an epoch; see ``dlcourse.timing.phases``."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.markdown import say, table
from benchmarks.options import Options
from benchmarks.workloads import WORKLOADS, compose_workload, load_images
from dlcourse.timing.interleave import AROUND, STEP_PHASES
from dlcourse.timing.worker import wait_for_device

TITLE = "Where the time goes"
GPU = True


def measure(options: Options) -> Iterator[str]:
    """Yield the share of each phase, a row for each model."""
    rows, costs = [], []
    for name in options.chosen(*WORKLOADS):
        if options.late():
            break
        say(f"profile: {name}")
        shares, cost = profile(name, options)
        rows.append([name, *(f"{shares[phase]:.1%}" for phase in (*STEP_PHASES, *AROUND))])
        costs.append(f"{name} {cost:+.0%}")
    note = (
        "An epoch of a default run: validation on a tenth, TensorBoard, history and checkpoints. "
        "Epochs are short here, so the last two columns are larger than in a real run. "
        f"What the clocks themselves cost: {', '.join(costs)}."
    )
    yield f"{table(('model', *STEP_PHASES, *AROUND), rows)}\n\n{note}"


def profile(name: str, options: Options) -> tuple[dict[str, float], float]:
    """Return the share of each phase, and the slowdown of an epoch by the clocks."""
    from dlcourse.core import Observer
    from dlcourse.timing.phases import measured_epochs
    from dlcourse.timing.training import TimedTraining, observers_of

    class Unclocked(Observer):
        """Times whole epochs and nothing inside them."""

        def __init__(self) -> None:
            self.seconds, self.since = [], perf_counter()

        def epoch(self, state) -> None:
            wait_for_device()
            now = perf_counter()
            self.seconds.append(now - self.since)
            self.since = now

    workload = WORKLOADS[name]
    config = compose_workload(workload, options)
    ours = TimedTraining(config, load_images(workload, options))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        observers = observers_of(config, folder, stack)
        laps = measured_epochs(ours, observers, options.rounds)
        unclocked = Unclocked()
        ours.run(options.rounds + 1, [*observers, unclocked])
    totals = [sum(seconds.values()) for seconds in laps]
    shares = {
        phase: median(seconds[phase] / total for seconds, total in zip(laps, totals, strict=True))
        for phase in laps[0]
    }
    return shares, median(totals) / median(unclocked.seconds[1:]) - 1
