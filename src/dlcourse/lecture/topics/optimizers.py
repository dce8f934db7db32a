"""The optimizers on a curved valley and on digits, and the slips in their equations."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = ("max_epochs=1", "data.examples=60")
FULL = ()
_RACERS = "sgd,momentum,adagrad,rmsprop,adam,lbfgs"
_RAVINE_RATE, _RAVINE_STEPS = 0.2, 100


def measure(bench: Bench) -> None:
    """Race in Rosenbrock's valley, train on digits, and follow Adam's equations by hand."""
    _race_in_valley(bench)
    losses = _train_with_all(bench)
    faster = bench.train("experiment=lecture/optimizers", "optim=adam", "optim.lr=0.01")
    loss = bench.number("adam_faster_loss", faster.history[-1]["train/loss"])
    bench.claim("Adam's training loss at ten times its default rate, over that at the default",
                loss / losses["adam"][-1], at_most=0.5)  # fmt: skip
    _follow_equations(bench)


def _race_in_valley(bench: Bench) -> None:
    from dlcourse.race.stored_race import draw_stored_paths, read_stored_race

    steps = 20 if bench.smoke else 1000
    typed = [f"optim={_RACERS}", "surface=rosenbrock", f"steps={steps}"]
    printed = bench.command("race", *typed)
    assert printed.folder is not None
    stored = read_stored_race(printed.folder)
    found = {one["label"]: one["steps_to_reach"] for one in stored["racers"]}
    texts = {label: f"{step} steps" if step else "not arrived" for label, step in found.items()}
    rows = [
        {"name": one["label"], "rate": one["rate"], "steps": texts[one["label"]],
         "gradients": one["gradients"], "loss": one["final_loss"]}
        for one in sorted(stored["racers"], key=lambda one: one["steps_to_reach"] or steps + 1)
    ]  # fmt: skip
    bench.number("race", rows)
    legend = {label: f"{label}: {text}" for label, text in texts.items()}
    title = "Rosenbrock's valley, 1,000 steps, each at the rate chosen for it"
    bench.figure("valley", draw_stored_paths(stored, legend, title))
    needed = {label: step or np.nan for label, step in found.items()}
    lost = sum(step is None for label, step in found.items() if label == "sgd")
    bench.claim("Plain descent is still on its way after 1,000 steps (1: yes)", lost, at_least=1)
    bench.claim("Steps of momentum", needed["momentum"], at_most=900)
    bench.claim("Steps of L-BFGS, which estimates the curvature", needed["lbfgs"], at_most=60)


def _train_with_all(bench: Bench) -> dict[str, list[float]]:
    """Train with each optimizer at its default rate; return the training losses of each."""
    few = ["optim=gd,sgd,adam"] if bench.smoke else []
    sweep = bench.sweep("experiment=lecture/optimizers", *few)
    runs = {run.choices["optim"]: run for run in sweep.runs}
    losses = {name: [row["train/loss"] for row in run.history] for name, run in runs.items()}
    order = sorted(losses, key=lambda name: losses[name][-1])
    rows = [
        {"name": name, "rate": runs[name].config["optim"]["lr"], "first": losses[name][0],
         "last": losses[name][-1], "test": runs[name].result["test"]["accuracy"]}
        for name in order
    ]  # fmt: skip
    bench.number("ranking", rows)
    bench.figure("digits", _draw_all({name: losses[name] for name in order}))
    some = [row for row in rows if row["name"] != "gd"]  # one step in an epoch is too few
    text = "The largest training loss of the mini-batch optimizers over the smallest"
    bench.claim(text, some[-1]["last"] / some[0]["last"], at_least=5)
    tests = [row["test"] for row in some]
    bench.number("tests", [min(tests), max(tests)])
    text = "The difference between their best and their worst test accuracy"
    bench.claim(text, max(tests) - min(tests), at_most=0.05)
    return losses


def _follow_equations(bench: Bench) -> None:
    """Compare Adam by hand with PyTorch's on the ravine, right and as the slides print it."""
    from dlcourse.race.stored_race import read_stored_race

    typed = ["optim=adam,amsgrad", f"lr={_RAVINE_RATE}", f"steps={_RAVINE_STEPS}"]
    printed = bench.command("race", *typed)
    assert printed.folder is not None
    paths = {
        one["label"].split()[0]: np.array(one["path"])
        for one in read_stored_race(printed.folder)["racers"]
    }
    by_hand = {
        "adam": _adam_path(),
        "amsgrad": _adam_path(largest="plain"),
        "no_power": _adam_path(power=False),
        "corrected_maximum": _adam_path(largest="corrected"),
    }
    away = max(float(np.abs(by_hand[name] - path).max()) for name, path in paths.items())
    bench.claim("Adam and AMSGrad by hand, largest distance from PyTorch's path", away,
                at_most=1e-4)  # fmt: skip
    for name, path in by_hand.items():
        loss = (path[:, 0] ** 2 + 20 * path[:, 1] ** 2) / 2
        bench.number(f"{name}_steps", int(np.argmax(loss < 0.001)) or None)
        bench.number(f"{name}_first", float(abs(path[1, 0] - path[0, 0])))
        bench.number(f"{name}_end", float(loss[-1]))
    apart = np.abs(by_hand["amsgrad"] - by_hand["corrected_maximum"]).max()
    bench.number("maximum_apart", float(apart))


def _adam_path(*, power: bool = True, largest: str = "") -> np.ndarray:
    """Return Adam's positions (steps + 1, 2) on the ravine, from (-4, 1), in float64.

    power: whether 1 - beta has the power t. largest: for AMSGrad, the maximum of the ``plain`` or
    the ``corrected`` second moment is kept.
    """
    first, second, epsilon = 0.9, 0.999, 1e-8
    place = np.array([-4.0, 1.0])
    m, v, most = np.zeros(2), np.zeros(2), np.zeros(2)
    positions = [place]
    for step in range(1, _RAVINE_STEPS + 1):
        gradient = place * (1, 20)
        m = first * m + (1 - first) * gradient
        v = second * v + (1 - second) * gradient**2
        t = step if power else 1
        used = v
        if largest == "plain":
            used = most = np.maximum(most, v)
        used = used / (1 - second**t)
        if largest == "corrected":
            used = most = np.maximum(most, used)
        place = place - _RAVINE_RATE * m / (1 - first**t) / (np.sqrt(used) + epsilon)
        positions.append(place)
    return np.array(positions)


def _draw_all(losses: dict[str, list[float]]) -> "Figure":
    """Draw the training loss of each optimizer over the epochs."""
    from dlcourse.drawing.named_lines import draw_named_lines
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(7.4, 4.8)
    axes = figure.subplots()
    axes.set(yscale="log", xlabel="epoch", ylabel="training loss", ylim=(5e-4, 3))
    lines = {name: (range(1, len(loss) + 1), loss) for name, loss in losses.items()}
    draw_named_lines(axes, dict(reversed(lines.items())))
    axes.set_title("Digits, each optimizer at its default rate", loc="left", size=11)
    return figure
