"""Measure a few steps of your own command and say what would make it faster.

    python scripts/doctor.py model=resnet20 data=mnist 'augment=[crop]'
    python scripts/doctor.py --config-dir my_configs model=wide

Takes the words of one run of train.py, runs some tens of its steps and prints where their time
goes. Then it tries the changes that it knows, each in turn with the command as it is, and prints
what each one gains on this machine: precision, batch size, threads, the fused optimizer, memory
order, workers, compilation, and what the augmentation costs. Advice follows from what was measured,
and nothing else; whether the model still learns as well is for a run to tell. Nothing is written.
"""

import clone  # noqa: F401  (finds src/)

import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from math import ceil
from statistics import median

from benchmarks.machine import cores
from benchmarks.rounds import AROUND, STEP, quartiles, ratios, spread, take_turns
from benchmarks.seat import Seat
from dlcourse.errors import UserError
from dlcourse.schema.command_line import one_run
from dlcourse.schema.overrides import key_of
from dlcourse.terminal.command import one_message

SECONDS = 1.0  # of an epoch here
ROUNDS = 5
WORTH = 1.05  # a gain that is worth an advice
MUCH = 0.1  # a share of the time that is worth one
OTHERS = 0.05


@dataclass(frozen=True)
class Change:
    """One thing to try.

    words: what is typed besides, in place of words with the same keys. drop: groups whose words
    are taken out. say: what else is to be known; only a change with a text is advised.
    """

    name: str
    words: tuple[str, ...]
    say: str = ""
    drop: tuple[str, ...] = ()


def main() -> None:
    """Compose and check the command, measure it, try the changes, advise."""
    words = sys.argv[1:]
    if {"-h", "--help"} & set(words):
        print(__doc__.strip())
        return
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a model of the user's own lies where he starts from
    words, config_dir = one_run(words, "doctor")

    from dlcourse.schema.compose import compose, plain
    from dlcourse.schema.validate import check

    config = plain(compose(words, config_dir))
    check(config)
    with closing(typed(words, config_dir)) as base:
        base.answer()
        facts = base.ask("facts")[1]
        examples = base.ask("calibrate", SECONDS)[1]
        seconds = measure(base)
        peak = base.peak()
        phases = base.ask("phases")[1]
        describe(facts, seconds, peak, phases)
        print("\nTried in turn with the command as it is; examples/s, times as many (quartiles):")
        gains = {}
        picked = [
            f"runtime.{name}={value}"
            for name, value in facts["picked"].items()
            if config["runtime"].get(name) == "auto"  # it is not measured again for each change
        ]
        for change in changes(config, facts):
            gain = attempt(change, base, [*words, *picked], config_dir, examples)
            if gain is not None:
                gains[change] = gain
        print("\nWhat to change:")
        for line in advice(gains, phases, facts) or ["nothing that was tried gains 5 % or more"]:
            print(f"  {line}")


def typed(words: Sequence[str], config_dir: str | None) -> Seat:
    """Start a process that can train a few steps of a command."""
    return Seat(make_typed, list(words), config_dir)


def make_typed(words: list[str], config_dir: str | None) -> object:
    """Make what sits in that process; PyTorch is imported there alone."""
    from benchmarks.typed import Typed

    return Typed(words, config_dir)


def speed(seat: Seat, number: int) -> float:
    """Return the examples a second of one epoch."""
    seconds, examples = seat.ask("epoch", number)
    return examples / seconds


def measure(seat: Seat) -> list[float]:
    """Return the examples a second of some epochs."""
    return [speed(seat, number) for number in range(ROUNDS)]


def describe(facts: dict, figures: list[float], peak: int, phases: dict[str, float]) -> None:
    """Print what the command does with its time."""
    step = 1000 * facts["batch"] / median(figures)
    inside = sum(phases[name] for name in STEP)
    around = {name: phases[name] for name in AROUND}
    print(f"{facts['parameters']:,} parameters, batch {facts['batch']}, {facts['device']}")
    print(
        f"{median(figures):,.0f} examples/s, {step:.1f} ms a step; "
        f"at most {peak / 2**20:,.0f} MiB of memory"
    )
    others = "".join(f", {name} {seconds:.2f} s" for name, seconds in around.items())
    print(f"an epoch: {facts['steps']:,} steps {inside:.1f} s{others}")
    shares = sorted(((phases[name] / inside, name) for name in STEP), reverse=True)
    print(
        "of a step: " + ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= 0.005)
    )


def changes(config: dict, facts: dict) -> list[Change]:
    """Return what can be tried for a config."""
    found = []
    runtime, batch = config["runtime"], config["batch_size"]
    if runtime["precision"] == "fp32":
        found.append(Change("", ("runtime.precision=bf16",), "weights stay fp32"))
    if isinstance(batch, int):
        learn = "it learns otherwise: look for another optim.lr"
        bigger = batch * 4
        if bigger <= facts["examples"]:
            found.append(Change("", (f"batch_size={bigger}",), learn))
        if batch >= 8:
            found.append(Change("", (f"batch_size={batch // 4}",), learn))
    if facts["cpu"]:
        counts = sorted({1, cores()} - {facts["threads"]})
        found += [Change("", (f"runtime.threads={n}",), "the same weights but for rounding")
                  for n in counts]  # fmt: skip
    if config["optim"].get("fused") is False:
        found.append(Change("", ("optim.fused=true",), "the same steps"))
    if runtime["channels_last"] is False and facts["images"]:
        found.append(Change("", ("runtime.channels_last=true",), "the same but for rounding"))
    if facts["cpu"] and not runtime["keep_memory"]:
        found.append(Change("", ("runtime.keep_memory=true",), "the same weights"))
    if not facts["cpu"] and not runtime["graph"]:
        found.append(Change("", ("runtime.graph=true",), "the same steps"))
    if facts["streamed"] and config["data"].get("workers") != cores():
        found.append(Change("", (f"data.workers={cores()}",), "the same images"))
    if not runtime["compile"]:
        compiled = "the same but for rounding; each run first compiles for half a minute"
        found.append(Change("", ("runtime.compile=true",), compiled))
    if config["augment"]:
        found.append(Change("without augmentation", ("augment=[]",), drop=("augment",)))
    return found


def with_change(words: Sequence[str], change: Change) -> list[str]:
    """Return a command's words with those of a change in place of what it replaces."""
    keys = {key_of(word) for word in change.words}
    kept = [
        word
        for word in words
        if key_of(word) not in keys and key_of(word).split(".")[0] not in change.drop
    ]
    return [*kept, *change.words]


def attempt(
    change: Change, base: Seat, words: Sequence[str], config_dir: str | None, examples: int
) -> list[float] | None:
    """Train with a change and without in turn; return the ratios, None where it cannot be."""
    name = change.name or " ".join(change.words)
    with closing(typed(with_change(words, change), config_dir)) as other:
        try:
            other.answer()
            other.ask("take", examples)
            other.ask("epoch", 0)
        except (UserError, RuntimeError) as error:
            print(f"  {name}: cannot be, {str(error).strip().splitlines()[0]}")
            return None
        seats = {"as it is": base, "changed": other}
        players = {
            player: lambda number, seat=seat: speed(seat, number) for player, seat in seats.items()
        }
        figures = take_turns(players, ROUNDS, begin=ROUNDS)
    gain = ratios(figures["changed"], figures["as it is"])
    print(f"  {name}: {median(figures['changed']):,.0f}, {spread(gain)}", flush=True)
    return gain


def advice(gains: dict[Change, list[float]], phases: dict[str, float], facts: dict) -> list[str]:
    """Return what the figures say is worth a change, the largest gain first."""
    worth = {
        change: median(gain)
        for change, gain in gains.items()
        if change.say and quartiles(gain)[0] >= WORTH
    }
    lines = [
        f"{' '.join(change.words)}: {gain:.2f} times as many examples/s ({change.say})"
        for change, gain in sorted(worth.items(), key=lambda item: -item[1])
    ]
    whole = sum(phases.values())
    inside = sum(phases[name] for name in STEP)
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
    if phases["observers"] / whole > OTHERS:
        lines.append(
            f"observe=[history]: what is written after an epoch takes "
            f"{phases['observers'] / whole:.0%} of it, checkpoints included"
        )
    return lines


if __name__ == "__main__":
    with one_message():
        main()
