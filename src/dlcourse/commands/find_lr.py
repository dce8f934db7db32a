"""Find a learning rate with a range test: a short training in which the rate grows at each step.

    dlcourse find-lr model=lenet optim=adam
    dlcourse find-lr data=cifar10 model=resnet20 optim=sgd 'augment=[crop_flip]' lr_max=100

All other options are those of a run, --config-dir included: the steps are those of its training,
with its model, initial weights, optimizer, batches, augmentation, penalties and clipping. Only the
schedule is replaced: at each of ``steps`` steps the rate grows by the same factor, from lr_min to
lr_max, by default from a thousandth of optim.lr to a thousand times optim.lr. The test ends early
when the running mean of the loss is four times its lowest value, or when the loss is not finite. In
cross-validation the first fold is used.

It suggests the rate at which the loss falls fastest, and a tenth of the rate at which it is
smallest. Writes find_lr.png, .svg, .csv and .json into a new folder below outputs/find_lr/. No run
is started or changed, and the trained weights are thrown away.
"""

import csv
import io
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from dlcourse.errors import UserError
from dlcourse.preview.output import new_folder, save_shown
from dlcourse.schema.arguments import arguments, number_argument, whole_number_argument
from dlcourse.schema.bounds import positive, whole_number
from dlcourse.schema.command_line import one_run, separate_own
from dlcourse.schema.compose import compose_with_choices
from dlcourse.schema.facts import fact
from dlcourse.schema.overrides import key_of
from dlcourse.terminal.command import own_name
from dlcourse.terminal.live_line import working

if TYPE_CHECKING:
    from dlcourse.preview.suggested_rate import Suggestion

OPTIONS = {"lr_min": "", "lr_max": "", "steps": "200"}
AROUND_LR = 1000  # the default bounds are optim.lr divided and multiplied by this
LARGEST_RATE = 100_000.0
FOUND_FOLDER = Path("outputs/find_lr")


def main(args: list[str]) -> None:
    """Check the command, run the test, write and print what it suggests."""
    own, rest = separate_own(args, OPTIONS, "find-lr")
    options = arguments(own, OPTIONS, __doc__)
    steps = whole_number_argument(options, "steps", whole_number(10, 100_000, 200))
    low, high = (
        number_argument(options, key, positive(example, LARGEST_RATE)) if options[key] else 0.0
        for key, example in (("lr_min", 1e-6), ("lr_max", 10.0))
    )
    overrides, config_dir = one_run(rest, "a range test")
    config, choices = compose_with_choices(overrides, config_dir)
    for group in ("optim", "model"):
        if fact(config[group], "own_length"):
            raise UserError(
                f"{group}={choices[group]} finds the length of its steps itself: there is no "
                "learning rate to find.\nType optim=sgd or optim=adam with another model"
            )
    usual = config["optim"].get("lr", 0.01)
    low, high = low or usual / AROUND_LR, high or min(usual * AROUND_LR, LARGEST_RATE)
    if low >= high:
        raise UserError(
            f"lr_min={low:g} is not below lr_max={high:g}.\nType lr_min={high / 1e6:g} or less"
        )
    rates = [low * (high / low) ** (step / (steps - 1)) for step in range(steps)]
    losses = losses_of(config, rates)

    from dlcourse.drawing.range_test import draw_range_test
    from dlcourse.preview.suggested_rate import suggested_rates, two_digits

    found = suggested_rates(rates, losses, steps)
    names = {"falls fastest": found.steepest, "a tenth of the minimum": found.tenth}
    marked = {name: two_digits(rate) for name, rate in names.items() if rate is not None}
    title = f"Range test: {choices['model']} on {choices['data']}, {choices['optim']}"
    typed = [text for text in overrides if key_of(text) != "optim.lr"]
    if config_dir:
        typed = ["--config-dir", config_dir, *typed]
    folder = new_folder(f"{choices['data']}_{choices['model']}_{choices['optim']}", FOUND_FOLDER)
    write_numbers(folder, args, rates, losses, found)
    for line in report_lines(rates, losses, found):
        print(line)
    for name, rate in marked.items():
        command = shlex.join([*typed, f"optim.lr={rate:g}"])
        print(f"{name + ':':<23} {own_name('train')} {command}")
    figure = draw_range_test(rates, losses, found.smoothed, marked, title)
    save_shown({"find_lr": figure}, folder)


def losses_of(config: dict, rates: list[float]) -> list[float]:
    """Return the loss of each step of a range test on the first fold of a run.

    The test has a state of its own, and the random generators are afterwards as they were.
    """
    with working("importing PyTorch and reading the data", plain=False):
        from dlcourse.engine.assemble import make_recipe, make_state
        from dlcourse.engine.autotune import USUAL, undecided
        from dlcourse.engine.datasets import load_data, make_fold, split_training_data
        from dlcourse.engine.instantiate import build, build_all
        from dlcourse.train.range_test import range_test
        from dlcourse.train.rng import restore_rng_states, rng_states

        build_all(config)
        runtime = build(config["runtime"])()
        runtime = runtime.with_picks({name: USUAL[name] for name in undecided(runtime)})
        dataset = load_data(config)
        fold = make_fold(config, dataset, split_training_data(config, dataset)[0], runtime)
    before = rng_states()
    try:
        state = make_state(config, runtime, dataset, fold)
        recipe = make_recipe(config, runtime, dataset, fold)
        base = float(state.optimizer.defaults["lr"])
        with working("range test", len(rates)) as advance:
            return range_test(state, fold, recipe, [rate / base for rate in rates], advance)
    finally:
        restore_rng_states(before)


def report_lines(rates: list[float], losses: list[float], found: "Suggestion") -> list[str]:
    """Return what happened in the test, in sentences."""
    done, last = len(losses), rates[len(losses) - 1]
    lines = [f"{done} of {len(rates)} steps, learning rate {rates[0]:.2g} to {last:.2g}."]
    if not math.isfinite(losses[-1]):
        lines.append(f"The loss is not finite at a learning rate of {last:.2g}.")
    elif done < len(rates):
        lines.append(f"Training diverges: at {last:.2g} the loss is four times its lowest value.")
    if found.lowest is None:
        lines.append(
            "The loss does not fall, so no rate is suggested. Type other bounds, "
            f"lr_min={rates[0] / 100:.2g} lr_max={rates[-1] * 10:.2g}, or more steps"
        )
    else:
        start, low = found.smoothed[0], found.smoothed.min()
        lines.append(f"The loss falls from {start:.3g} to {low:.3g}, at {found.lowest:.2g}.")
        if not found.growing:
            lines.append(f"It still falls at the end: type lr_max={rates[-1] * 100:.2g}.")
    return lines


def write_numbers(
    folder: Path, args: list[str], rates: list[float], losses: list[float], found: "Suggestion"
) -> None:
    """Write the rate, the loss and the smoothed loss of each step, and the suggestions."""
    from dlcourse import atomic_files

    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["step", "lr", "loss", "smoothed_loss"])
    smoothed = [*map(float, found.smoothed), *[""] * (len(losses) - len(found.smoothed))]
    rows = zip(rates[: len(losses)], losses, smoothed, strict=True)
    writer.writerows([step, *row] for step, row in enumerate(rows))
    atomic_files.write_text(folder / "find_lr.csv", table.getvalue())
    content = {
        "command": " ".join([own_name("find-lr"), *map(shlex.quote, args)]),
        "falls_fastest": found.steepest,
        "smallest": found.lowest,
        "smallest_by_10": found.tenth,
        "steps": len(losses),
        "planned_steps": len(rates),
        "largest_lr": rates[len(losses) - 1],
    }
    atomic_files.write_json(folder / "find_lr.json", content, indent=2)
