"""Measure where the time of a run goes and what would make it faster.

    dlcourse doctor model=resnet20 data=mnist 'augment=[crop]'
    dlcourse doctor --config-dir my_configs model=wide

Takes the options of one run, trains some tens of its steps and prints how their time is spent. Then
it tries changes, each alternating with the unchanged run, and prints the gain of each on this
machine: precision, batch size, threads, the fused optimizer, memory format, workers, compilation,
and the cost of the augmentation. Advice is based on these measurements alone; only a whole run can
show whether the model still learns as well. Nothing is written.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from statistics import median

from dlcourse.errors import UserError
from dlcourse.schema.command_line import one_run
from dlcourse.schema.overrides import key_of
from dlcourse.timing.interleave import (
    AROUND,
    STEP_PHASES,
    interleave,
    median_and_quartiles,
    quartiles,
    ratios,
)
from dlcourse.timing.worker import Worker, cores

SECONDS = 1.0  # the length of a shortened epoch
ROUNDS = 5
WORTH = 1.05  # the smallest speed-up that is advised
MUCH = 0.1  # the fraction of the time from which on a phase is mentioned
OBSERVERS_SHARE = 0.05  # the same for observers


@dataclass(frozen=True)
class Change:
    """A change to try.

    overrides: added to the command, replacing those with the same keys. drop: groups whose
    overrides are removed. note: what else changes; only a change with a note is advised.
    """

    name: str
    overrides: tuple[str, ...]
    note: str = ""
    drop: tuple[str, ...] = ()


def main(args: list[str]) -> None:
    """Compose and check the command, measure it, try the changes, advise."""
    overrides, config_dir = one_run(args, "doctor")

    from dlcourse.schema.compose import compose_checked

    config = compose_checked(overrides, config_dir)
    with closing(start_worker(overrides, config_dir)) as base:
        base.wait()
        facts = base.call("facts")[1]
        examples = base.call("calibrate", SECONDS)[1]
        seconds = epoch_speeds(base)
        peak = base.peak()
        phases = base.call("phases")[1]
        print_phases(facts, seconds, peak, phases)
        print("\nEach change against the unchanged run: examples/s, speed-up (quartiles)")
        gains = {}
        picked = [
            f"runtime.{name}={value}"
            for name, value in facts["picked"].items()
            if config["runtime"].get(name) == "auto"  # it is not measured again for each change
        ]
        for change in changes(config, facts):
            gain = attempt(change, base, [*overrides, *picked], config_dir, examples)
            if gain is not None:
                gains[change] = gain
        print("\nWhat to change:")
        for line in advice(gains, phases, facts) or ["nothing that was tried gains 5 % or more"]:
            print(f"  {line}")


def start_worker(overrides: Sequence[str], config_dir: str | None) -> Worker:
    """Start a process that trains a few steps of a run."""
    return Worker(make_short_run, list(overrides), config_dir)


def make_short_run(overrides: list[str], config_dir: str | None) -> object:
    """Make the run in the worker process; PyTorch is imported only there."""
    from dlcourse.timing.short_run import ShortRun

    return ShortRun(overrides, config_dir)


def speed(worker: Worker, number: int) -> float:
    """Return the examples per second of one epoch."""
    seconds, examples = worker.call("epoch", number)
    return examples / seconds


def epoch_speeds(worker: Worker) -> list[float]:
    """Return the examples per second of ``ROUNDS`` epochs."""
    return [speed(worker, number) for number in range(ROUNDS)]


def print_phases(facts: dict, values: list[float], peak: int, phases: dict[str, float]) -> None:
    """Print the speed of a run, its memory, and the time of each phase.

    values: examples per second, one for each epoch. peak: bytes. phases: seconds of an epoch.
    """
    step = 1000 * facts["batch"] / median(values)
    inside = sum(phases[name] for name in STEP_PHASES)
    around = {name: phases[name] for name in AROUND}
    print(f"{facts['parameters']:,} parameters, batch {facts['batch']}, {facts['device']}")
    print(
        f"{median(values):,.0f} examples/s, {step:.1f} ms a step; "
        f"at most {peak / 2**20:,.0f} MiB of memory"
    )
    others = "".join(f", {name} {seconds:.2f} s" for name, seconds in around.items())
    print(f"an epoch: {facts['steps']:,} steps {inside:.1f} s{others}")
    shares = sorted(((phases[name] / inside, name) for name in STEP_PHASES), reverse=True)
    print(
        "of a step: " + ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= 0.005)
    )


def changes(config: dict, facts: dict) -> list[Change]:
    """Return the changes that can be tried for a config.

    facts: of the worker's run, such as its batch size and whether it is on the CPU.
    """
    found = []
    runtime, batch = config["runtime"], config["batch_size"]
    if runtime["precision"] == "fp32":
        found.append(Change("", ("runtime.precision=bf16",), "weights stay fp32"))
        if not facts["cpu"]:
            rounded = "weights stay fp32, products are of numbers with 10 bits"
            found.append(Change("", ("runtime.precision=tf32",), rounded))
    if isinstance(batch, int):
        learn = "it trains differently: search for another optim.lr"
        bigger = batch * 4
        if bigger <= facts["examples"]:
            found.append(Change("", (f"batch_size={bigger}",), learn))
        if batch >= 8:
            found.append(Change("", (f"batch_size={batch // 4}",), learn))
    if facts["cpu"]:
        counts = sorted({1, cores()} - {facts["threads"]})
        found += [Change("", (f"runtime.threads={n}",), "the same weights up to rounding")
                  for n in counts]  # fmt: skip
    if config["optim"].get("fused") is False:
        found.append(Change("", ("optim.fused=true",), "the same steps"))
    if runtime["channels_last"] is False and facts["images"]:
        found.append(Change("", ("runtime.channels_last=true",), "the same up to rounding"))
    if facts["cpu"] and not runtime["keep_memory"]:
        found.append(Change("", ("runtime.keep_memory=true",), "the same weights"))
    if not facts["cpu"] and not runtime["graph"]:
        found.append(Change("", ("runtime.graph=true",), "the same steps"))
    if facts["streamed"] and config["data"].get("workers") != cores():
        found.append(Change("", (f"data.workers={cores()}",), "the same images"))
    if facts["streamed"] and config["data"].get("decoder") == "pillow":
        slightly = "pixels differ by rounding and by half a pixel of the file"
        found.append(Change("", ("data.decoder=torchvision",), slightly))
    if runtime["compile"] is not True:
        compiled = "the same up to rounding; each run first compiles for half a minute"
        found.append(Change("", ("runtime.compile=true",), compiled))
    if config["augment"]:
        found.append(Change("without augmentation", ("augment=[]",), drop=("augment",)))
    return found


def with_change(overrides: Sequence[str], change: Change) -> list[str]:
    """Return the overrides of a run with a change applied."""
    keys = {key_of(override) for override in change.overrides}
    kept = [
        override
        for override in overrides
        if key_of(override) not in keys and key_of(override).split(".")[0] not in change.drop
    ]
    return [*kept, *change.overrides]


def attempt(
    change: Change, base: Worker, overrides: Sequence[str], config_dir: str | None, examples: int
) -> list[float] | None:
    """Train with a change and without it in turn; return the speed-ups, None if it fails.

    base: the worker of the unchanged run. overrides: of the unchanged run.
    examples: the length of a shortened epoch.
    """
    name = change.name or " ".join(change.overrides)
    with closing(start_worker(with_change(overrides, change), config_dir)) as other:
        try:
            other.wait()
            other.call("take", examples)
            other.call("epoch", 0)
        except (UserError, RuntimeError) as error:
            print(f"  {name}: not possible, {str(error).strip().splitlines()[0]}")
            return None
        workers = {"unchanged": base, "changed": other}
        timers = {
            label: lambda number, worker=worker: speed(worker, number)
            for label, worker in workers.items()
        }
        values = interleave(timers, ROUNDS, first_round=ROUNDS)
    gain = ratios(values["changed"], values["unchanged"])
    print(f"  {name}: {median(values['changed']):,.0f}, {median_and_quartiles(gain)}", flush=True)
    return gain


def advice(gains: dict[Change, list[float]], phases: dict[str, float], facts: dict) -> list[str]:
    """Return the lines of advice: worthwhile changes, the largest first, then slow phases.

    gains: the speed-ups of each change, one for each round. phases: seconds of an epoch.
    """
    worth = {
        change: median(gain)
        for change, gain in gains.items()
        if change.note and quartiles(gain)[0] >= WORTH
    }
    lines = [
        f"{' '.join(change.overrides)}: {gain:.2f} times as fast ({change.note})"
        for change, gain in sorted(worth.items(), key=lambda item: -item[1])
    ]
    whole = sum(phases.values())
    inside = sum(phases[name] for name in STEP_PHASES)
    if phases["data"] / inside > MUCH and facts["streamed"]:
        room = ceil(10 * facts["gibibytes"]) / 10
        lines.append(
            f"data.memory={room}: waiting for images takes {phases['data'] / inside:.0%} of a "
            f"step, and all of them need {facts['gibibytes']:.2f} GiB"
        )
    if phases["augment"] / inside > MUCH:
        lines.append(f"augment: it takes {phases['augment'] / inside:.0%} of a step")
    if phases["validation"] / whole > 2 * MUCH:
        lines.append(
            f"split.fraction: validation takes {phases['validation'] / whole:.0%} of an epoch; "
            "a smaller part takes less"
        )
    if phases["observers"] / whole > OBSERVERS_SHARE:
        lines.append(
            f"observe=[history]: what is written after an epoch takes "
            f"{phases['observers'] / whole:.0%} of it, checkpoints included"
        )
    return lines
