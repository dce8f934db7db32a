"""What the observer diagnostics costs: epochs with and without it, in turn.

Both runs train, validate, and write history, TensorBoard and checkpoints; one of them also measures
the network. They must end with the same weights, on the CPU to the last bit. The batch size is 64,
as in a run without options. Without ``steps`` an epoch has 48,000 of MNIST's 60,000 images, and the
others are validated.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from benchmarks.cases.overhead import PICKED, compare, paired_epochs, timed
from benchmarks.options import Options
from benchmarks.workloads import SIZES, WORKLOADS, compose_workload, load_images
from dlcourse.timing.interleave import interleave, median_and_quartiles, ratios

TITLE = "The cost of diagnostics"
GPU = False
KINDS: dict[str, list[str]] = {
    "default": [],
    "every 100 steps": ["observe.diagnostics.every=100"],
    "with spectrum and histograms": [
        "observe.diagnostics.measure=[gradients,updates,activations,spectrum]",
        "observe.diagnostics.histograms=true",
    ],
}
BASE = ["observe=[console,history,tensorboard]"]
MORE = ["observe=[console,history,tensorboard,diagnostics]"]


def measure(options: Options) -> Iterator[str]:
    """Yield a table with a row for each model and each setting of the observer."""
    columns = ("model", "diagnostics", "without, s", "with, s", "ratio (quartiles)", "epochs")
    yield from paired_epochs("diagnostics", ("lenet",), KINDS, columns, row, options)


def row(name: str, kind: str, overrides: list[str], options: Options) -> list[str]:
    """Time one setting; raises UserError if the two runs end with different weights."""
    from dlcourse.timing.training import TimedTraining, observers_of

    workload = WORKLOADS[name]
    examples = options.steps * 64 if options.steps else SIZES[workload.data]
    dataset = load_images(workload, options, examples)
    times: dict[str, list[float]] = {"without": [], "with": []}
    for _ in range(options.repeats):
        with ExitStack() as stack:
            timers, models = {}, []
            for side, more in (("without", BASE), ("with", [*MORE, *overrides])):
                config = compose_workload(workload, options, *PICKED, "batch_size=64", *more)
                training = TimedTraining(config, dataset)
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                observers = observers_of(config, folder, stack)

                def epoch(number: int, training=training, observers=observers) -> None:
                    training.run(1, observers)

                timers[side] = timed(epoch)
                timers[side](0)  # not measured
                models.append(training.state.model)
            for side, values in interleave(timers, options.rounds).items():
                times[side] += values
            compare(name, *models)
    pairs = ratios(times["with"], times["without"])
    values = [f"{median(times[side]):.3f}" for side in ("without", "with")]
    return [name, kind, *values, median_and_quartiles(pairs, ".3f"), str(len(pairs))]
