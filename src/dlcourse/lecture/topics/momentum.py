"""Momentum and Nesterov's method in a ravine and on digits."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = ("max_epochs=1", "data.examples=60")
FULL = ()
_MOMENTUM = 0.9


def measure(bench: Bench) -> None:
    """Race in the ravine at one rate for all, and train on digits at one rate for all."""
    _race_in_ravine(bench)
    _train_on_digits(bench)
    steady, changed = (_difference_of_forms(decay) for decay in (1.0, 0.5))
    bench.number("forms_constant", steady)
    bench.number("forms_decayed", changed)


def _race_in_ravine(bench: Bench) -> None:
    from dlcourse.race.stored_race import draw_stored_paths, read_stored_race

    printed = bench.command("race", "optim=sgd,momentum,nesterov", "lr=0.02", "steps=300")
    assert printed.folder is not None
    stored = read_stored_race(printed.folder)
    racers = {one["label"].split()[0]: one for one in stored["racers"]}
    needed = {name: one["steps_to_reach"] or np.nan for name, one in racers.items()}
    beyond = {name: max(x for x, _ in one["path"]) for name, one in racers.items()}
    for name in racers:
        bench.number(f"{name}_steps", needed[name])
        bench.number(f"{name}_beyond", beyond[name])
    legend = {one["label"]: f"{name}: {needed[name]} steps" for name, one in racers.items()}
    title = "The ravine (x² + 20 y²) / 2, learning rate 0.02 for all"
    bench.figure("ravine", draw_stored_paths(stored, legend, title))
    text = "In the ravine momentum needs fewer steps than descent at the same rate, by a factor of"
    bench.claim(text, needed["sgd"] / needed["momentum"], at_least=3)
    text = "Nesterov's method needs a smaller number of steps than momentum: a share of"
    bench.claim(text, needed["nesterov"] / needed["momentum"], at_most=0.9)
    bench.claim("Momentum runs beyond the minimum at x = 0, to x", beyond["momentum"], at_least=0.5)
    text = "Nesterov's method runs less far beyond it: a share of"
    bench.claim(text, beyond["nesterov"] / beyond["momentum"], at_most=0.9)


def _train_on_digits(bench: Bench) -> None:
    sweep = bench.sweep("experiment=lecture/momentum")
    losses = {
        (run.choices["optim"], run.config["optim"]["lr"]): [r["train/loss"] for r in run.history]
        for run in sweep.runs
    }
    low, high = sorted({rate for _, rate in losses})
    names = {"sgd": low, "momentum": low, "nesterov": low, "sgd_high": high}
    found = {name: losses[name.split("_")[0], rate] for name, rate in names.items()}
    for name, loss in found.items():
        bench.number(f"{name}_loss", loss[-1])
    bench.figure("digits", _draw_digits(found, names))
    text = "On digits the training loss of descent over that of momentum at the same rate"
    bench.claim(text, found["sgd"][-1] / found["momentum"][-1], at_least=2)
    text = "The loss of descent at ten times the rate over that of momentum 0.9"
    bench.claim(text, found["sgd_high"][-1] / found["momentum"][-1], at_least=0.75, at_most=1.33)


def _difference_of_forms(decay: float) -> float:
    """Return the largest distance in x between two ways to write momentum, on the ravine's floor.

    One has the rate inside the velocity, v <- m v - rate g, w <- w + v; the other, PyTorch's, has
    it outside, v <- m v + g, w <- w - rate v. decay: of the rate, after 20 of 60 steps.
    """
    inside, outside, velocity, buffer, away = -4.0, -4.0, 0.0, 0.0, 0.0
    for step in range(60):
        rate = 0.02 * (decay if step >= 20 else 1)
        velocity = _MOMENTUM * velocity - rate * inside  # the gradient of x^2 / 2 is x
        inside += velocity
        buffer = _MOMENTUM * buffer + outside
        outside -= rate * buffer
        away = max(away, abs(inside - outside))
    return away


def _draw_digits(found: dict, rates: dict) -> "Figure":
    """Draw the training loss over the epochs."""
    from dlcourse.drawing.named_lines import draw_named_lines
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(7.4, 4.0)
    axes = figure.subplots()
    axes.set(yscale="log", xlabel="epoch", ylabel="training loss")
    axes.set_yticks([0.1, 0.2, 0.5, 1, 2], ["0.1", "0.2", "0.5", "1", "2"])
    axes.minorticks_off()
    lines = {
        f"{name.split('_')[0]}, lr {rates[name]:g}": (range(1, len(loss) + 1), loss)
        for name, loss in found.items()
    }
    axes.set_ylim(0.05, 3)
    draw_named_lines(axes, lines)
    axes.set_title("Momentum 0.9 adds up ten gradients: as fast as ten times the rate", loc="left",
                   size=11)  # fmt: skip
    return figure
