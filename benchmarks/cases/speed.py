"""Training throughput in images per second: dlcourse, common loops, Lightning and Keras.

Every implementation has a process of its own and trains the same network on the same images, from
the same initial weights (Keras from its own). They take turns of one epoch in a changing order. The
peak memory is that of the process, or the reserved memory of the GPU.
"""

from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.implementations import BASE, HALF, IMPLEMENTATIONS, MissingError, known, make
from benchmarks.markdown import say, table
from benchmarks.options import Options
from benchmarks.workloads import BATCH, WORKLOADS
from dlcourse.timing.interleave import interleave, median_and_quartiles, ratios

TITLE = "Images a second"
GPU = True


def measure(options: Options) -> Iterator[str]:
    """Yield a table for each model."""
    for name in options.chosen(*WORKLOADS):
        if options.late():
            yield f"The time limit was reached before {name}."
            return
        yield compare(name, options)


def compare(name: str, options: Options) -> str:
    """Time all implementations with one model; return the results as Markdown."""
    from dlcourse.timing.worker import Worker  # a process each

    workload, seconds, out, peaks = WORKLOADS[name], {}, [], {}
    names = [label for label in known() if label not in options.without]
    for repeat in range(options.repeats):
        with ExitStack() as stack:
            workers = {}
            ours = [label for label in names if IMPLEMENTATIONS[label][0] == "dlcourse"]
            others = [label for label in names if label not in ours]
            # dlcourse's may time their first steps, so each starts alone; the others together
            for group in (*([label] for label in ours), others):
                for label in group:
                    workers[label] = Worker(make, label, workload, options)
                    stack.callback(workers[label].close)
                for label in group:
                    try:
                        workers[label].wait()
                        workers[label].call("epoch", 0)  # not measured: it fills caches
                    except (MissingError, RuntimeError) as error:
                        if label == BASE:
                            raise
                        del workers[label]
                        names.remove(label)
                        out.append(left_out(label, error))
            timers = {label: asker(worker) for label, worker in workers.items()}
            say(f"speed: {name}, repeat {repeat + 1} of {options.repeats}, {', '.join(timers)}")
            for label, values in interleave(timers, options.rounds).items():
                seconds.setdefault(label, []).extend(values)
            peaks |= {label: max(peaks.get(label, 0), workers[label].peak()) for label in workers}
    return written(name, options, seconds, peaks, out)


def left_out(label: str, error: Exception) -> str:
    """Return in one line why an implementation is left out; print an error in full on stderr."""
    if isinstance(error, MissingError):
        return f"{label} is left out: {error}."
    say(str(error))
    return f"{label} is left out, it failed: {str(error).strip().splitlines()[-1]}"


def asker(worker):
    """Return a function (epoch number) -> seconds, as the worker reports them or as timed here."""

    def run(number: int) -> float:
        around, own = worker.call("epoch", number)
        return around if own is None else own

    return run


def written(name: str, options: Options, seconds: dict, peaks: dict, out: list[str]) -> str:
    """Return the results of one model as Markdown: a heading, the table and what was left out."""
    workload = WORKLOADS[name]
    examples = workload.examples(options)
    shown = [label for label in (BASE, HALF) if label in seconds]
    rows = []
    for label, values in seconds.items():
        rows.append([
            label,
            median_and_quartiles([examples / value for value in values], ",.0f"),
            *(
                "" if label == ours else median_and_quartiles(ratios(values, seconds[ours]))
                for ours in shown
            ),
            f"{peaks[label] / 2**20:,.0f}",
        ])  # fmt: skip
    columns = [
        "implementation",
        "images/s (quartiles)",
        *(f"{ours} is … times as fast" for ours in shown),
        "peak MiB (of a GPU, its own)",
    ]
    real = options.root if workload.data == "mnist" else options.cifar
    images = {"mnist": "MNIST", "cifar": "CIFAR-10"}[workload.data] if real else "random images"
    extra = ", shifted and mirrored" if workload.augment else ""
    head = (
        f"**{name}** on {images}{extra}: epochs of {-(-examples // BATCH)} steps of {BATCH}, "
        f"{workload.optim}, {len(seconds[BASE])} epochs each"
    )
    return "\n\n".join([head, table(columns, rows), *out])
