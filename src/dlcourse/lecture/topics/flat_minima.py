"""SAM against SGD with momentum: the sharpness of the minimum and the test accuracy."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("seeds=1", "max_epochs=1", "data.examples=60")
FULL = ()
_RADII = np.linspace(-1, 1, 21)  # in lengths of the filters
_DIRECTIONS = 5
_MEANS = ("eigenvalue", "rise", "train", "test")


def measure(bench: Bench) -> None:
    """Train on partly random labels with SGD and with two radii of SAM, three seeds each."""
    preset = "experiment=lecture/flat_minima"
    plain = bench.sweep(preset, "optim=momentum", "seeds=3")
    sharp = bench.sweep(preset, "optim.rho=0.2,0.5", "seeds=3")
    found: dict[str, list[dict]] = {}
    runs = [*plain.runs, *sharp.runs]
    runs.sort(key=lambda run: (run.config["optim"].get("rho", 0), run.config["seed"]))
    for run in runs:
        rho = run.config["optim"].get("rho", 0)
        found.setdefault(f"SAM, ρ = {rho:g}" if rho else "SGD", []).append(_flatness(run))
    rows = [
        {"name": name, **{key: float(np.mean([one[key] for one in ones])) for key in _MEANS}}
        for name, ones in found.items()
    ]
    bench.number("table", rows)
    bench.figure("loss", _draw_around(found))
    bench.figure("accuracy", _draw_accuracy(found))
    sgd, wide = rows[0], rows[-1]
    text = "The Hessian's largest eigenvalue with SGD over that with SAM, ρ = 0.5"
    bench.claim(text, sgd["eigenvalue"] / wide["eigenvalue"], at_least=1.5)
    text = "What SAM, ρ = 0.5, adds to the test accuracy of SGD"
    bench.claim(text, wide["test"] - sgd["test"], at_least=0.03)
    text = "Its training loss, over that of SGD: it learns fewer of the wrong labels by heart"
    bench.claim(text, wide["train"] / sgd["train"], at_least=1.5)
    text = "Seeds for which SAM's minimum is flatter and its test accuracy higher, a share of"
    pairs = list(zip(found["SGD"], found["SAM, ρ = 0.5"], strict=True))
    better = [b["eigenvalue"] < a["eigenvalue"] and b["test"] > a["test"] for a, b in pairs]
    bench.claim(text, float(np.mean(better)), at_least=0.6)


def _flatness(run: "Run") -> dict:
    """Return the test accuracy of a run, its training loss around the weights, and its curvature.

    ``around``: the mean loss over random directions at each of ``_RADII``. ``rise``: its largest
    value above the loss at the weights themselves.
    """
    import torch

    from dlcourse.introspect.loss_surface import losses_at, random_direction, weight_vector
    from dlcourse.look.request import read_request
    from dlcourse.look.run_parts import loss_function, run_parts
    from dlcourse.look.subject import open_subject
    from dlcourse.look.surface import hessian_eigenvalue

    subject = open_subject(read_request(run.folder, "surface", {}))
    parts = run_parts(subject)
    examples = parts.fold.train
    loss = loss_function(subject, parts, examples)
    origin, draws = weight_vector(subject.network), torch.Generator().manual_seed(0)
    directions = [random_direction(subject.network, draws) for _ in range(_DIRECTIONS)]
    around = np.mean(
        [
            losses_at(
                subject.network,
                [lambda r=radius, d=direction: origin + r * d for radius in map(float, _RADII)],
                loss,
            )
            for direction in directions
        ],
        axis=0,
    )
    middle = loss()
    return {
        "test": run.result["test"]["accuracy"],
        "train": middle,
        "around": around,
        "rise": float(around.max() - middle),
        "eigenvalue": hessian_eigenvalue(subject, parts, examples, 0),
    }


def _draw_around(found: dict[str, list[dict]]) -> "Figure":
    """Draw the training loss around the weights, a line for each seed."""
    from dlcourse.drawing.style import empty_figure, line_look, style_axes

    figure = empty_figure(7.0, 4.2)
    axes = figure.subplots()
    for number, (name, ones) in enumerate(found.items()):
        for seed, one in enumerate(ones):
            label = name if seed == 0 else None
            axes.plot(_RADII, one["around"], linewidth=1.6, label=label, **line_look(number))
    axes.set(ylabel="training loss", xlabel="distance from the weights, in lengths of the filters")
    axes.legend(frameon=False)
    axes.set_title("Mean loss along 5 random directions, a line for each seed", loc="left", size=11)
    style_axes(axes)
    return figure


def _draw_accuracy(found: dict[str, list[dict]]) -> "Figure":
    """Draw the test accuracy over the Hessian's largest eigenvalue, a point for each run."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(6.4, 4.0)
    axes = figure.subplots()
    for number, (name, ones) in enumerate(found.items()):
        points = [(one["eigenvalue"], 100 * one["test"]) for one in ones]
        axes.plot(*zip(*points, strict=True), "osD"[number % 3], markersize=9, label=name,
                  color=COLOURS[number])  # fmt: skip
    axes.set(xlabel="largest eigenvalue of the Hessian (sharpness)", ylabel="test accuracy in %")
    axes.legend(frameon=False)
    axes.set_title("The flatter the minimum, the better on new digits", loc="left", size=11)
    style_axes(axes)
    return figure
