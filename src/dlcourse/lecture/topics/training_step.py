"""The speed of a training step: by batch size, by phase, and next to a plain loop."""

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.timing.short_run import ShortRun

SMOKE = ("max_epochs=1", "data.examples=60")
FULL = ()
_PRESET = "experiment=lecture/training_step"


def measure(bench: Bench) -> None:
    """Train with five batch sizes, then time a step's phases and a plain loop in turn."""
    import torch

    few = ["batch_size=1,64"] if bench.smoke else []
    sweep = bench.sweep(_PRESET, *few)
    speeds = {
        run.config["batch_size"]: max(row["examples_per_second"] for row in run.history)
        for run in sweep.runs
    }
    speeds = dict(sorted(speeds.items()))
    bench.number("speeds", [{"batch": size, "speed": value} for size, value in speeds.items()])
    ratio = bench.number("gain", speeds[64] / speeds[1])
    text = "Batches of 64 train more images per second than single ones, by a factor of"
    bench.claim(text, ratio, at_least=1.5)

    rounds = 1 if bench.smoke else 7
    ours, plain, phases = _timed_in_turn(bench, rounds)
    bench.number("phases", phases)
    bench.number("ours", median(ours))
    bench.number("plain", median(plain))
    ratio = median(a / b for a, b in zip(ours, plain, strict=True))
    bench.number("ours_over_plain", ratio)
    bench.number("passes", phases["forward"] + phases["backward"])
    text = "The share of a step that the forward and the backward pass take"
    bench.claim(text, phases["forward"] + phases["backward"], at_least=0.6)
    text = "The backward pass over the forward pass, in time"
    bench.claim(text, phases["backward"] / phases["forward"], at_least=0.4, at_most=4)
    text = "Images per second of dlcourse over those of the plain loop, timed in turn"
    bench.claim(text, ratio, at_least=0.6)
    bench.figure("speed", _draw_speeds(speeds))
    bench.figure("phases", _draw_phases(phases))
    bench.number("gpu", None)
    if torch.cuda.is_available():
        _time_gpu(bench, rounds)


def _short_run(bench: Bench, *overrides: str) -> "ShortRun":
    from dlcourse.timing.short_run import ShortRun

    some = ["data.examples=60"] if bench.smoke else []
    return ShortRun([_PRESET, *overrides, *some], None)


def _timed_in_turn(bench: Bench, rounds: int) -> tuple[list[float], list[float], dict[str, float]]:
    """Return the images per second of dlcourse and of a plain loop in each round, and the phases.

    Each round trains an epoch of both on the same images, in batches of 64. The phases are shares
    of a step's time; those below half a per cent are left out.
    """
    import torch
    from torch.nn.functional import cross_entropy

    from dlcourse.timing.interleave import STEP_PHASES, interleave
    from dlcourse.timing.training import initial_model

    run = _short_run(bench, "batch_size=64")
    run.epoch(0)  # the first one is slower
    split = run.whole.train
    inputs, targets = run.whole.standardize(split.inputs), split.targets
    model = initial_model(run.config, run.dataset)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    def plain_epoch() -> None:
        model.train()
        for index in torch.randperm(len(targets)).split(64):
            optimizer.zero_grad()
            cross_entropy(model(inputs[index]), targets[index]).backward()
            optimizer.step()

    def speed(epoch) -> float:
        started = perf_counter()
        epoch()
        return len(targets) / (perf_counter() - started)

    plain_epoch()
    timers = {
        "ours": lambda number: speed(lambda: run.epoch(number)),
        "plain": lambda number: speed(plain_epoch),
    }
    values = interleave(timers, rounds)
    seconds = run.phases()
    step = sum(seconds[name] for name in STEP_PHASES)
    shares = {name: seconds[name] / step for name in STEP_PHASES}
    return values["ours"], values["plain"], {n: s for n, s in shares.items() if s >= 0.005}


def _time_gpu(bench: Bench, rounds: int) -> None:
    """Time batches of 256 on the GPU and on the CPU in turn."""
    from dlcourse.timing.interleave import interleave
    from dlcourse.timing.worker import timed

    runs = {one: _short_run(bench, "batch_size=256", f"runtime.device={one}") for one in
            ("cpu", "cuda")}  # fmt: skip

    def timer(run: "ShortRun"):
        run.epoch(0)

        def images_per_second(number: int) -> float:
            seconds, examples = timed(run, "epoch", (number,))
            return examples / seconds

        return images_per_second

    found = interleave({name: timer(run) for name, run in runs.items()}, rounds)
    bench.number("gpu", {name: median(values) for name, values in found.items()})


def _draw_speeds(speeds: dict[int, float]) -> "Figure":
    """Draw the images per second over the batch size."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(6.4, 3.8)
    axes = figure.subplots()
    axes.plot(list(speeds), list(speeds.values()), "o-", color=COLOURS[0], linewidth=1.9)
    axes.set(xscale="log", xlabel="examples in a batch", ylabel="images per second", ylim=(0, None))
    axes.set_xticks(list(speeds), [str(size) for size in speeds])
    axes.minorticks_off()
    axes.set_title("LeNet-5 on one CPU core: larger batches are faster", loc="left", size=11)
    style_axes(axes)
    return figure


def _draw_phases(phases: dict[str, float]) -> "Figure":
    """Draw the share of a step's time that each phase takes, the largest on top."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(6.4, 2.8)
    axes = figure.subplots()
    order = sorted(phases, key=lambda name: phases[name])
    bars = axes.barh(order, [100 * phases[name] for name in order], color=COLOURS[0])
    axes.bar_label(bars, fmt="%.0f %%", padding=3)
    axes.set(xlabel="share of a step's time in %", xlim=(0, 100))
    axes.set_title("Where the time of a step with 64 images goes", loc="left", size=11)
    style_axes(axes, grid="x")
    return figure
