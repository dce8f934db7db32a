"""The perceptron on AND, OR and XOR, and a hidden layer on XOR."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("max_epochs=1",)
FULL = ()

_HIDDEN = (
    "data=gates",
    "data.gate=xor",
    "model=mlp",
    "model.widths=[4]",
    "model.activation=tanh",
    "optim.lr=0.1",
)
"""A network with a hidden layer of four units, trained on XOR."""


def measure(bench: Bench) -> None:
    """Train a perceptron on each gate, and a network with a hidden layer on XOR."""
    sweep = bench.sweep("experiment=lecture/perceptron")
    runs = {run.config["data"]["gate"]: run for run in sweep.runs}
    hidden = bench.train(*_HIDDEN)

    mistakes = {gate: _mistakes_by_epoch(runs[gate]) for gate in ("and", "or", "xor")}
    for gate, counts in mistakes.items():
        weights = runs[gate].model.network.state_dict()
        bench.number(
            f"{gate}_gate",
            {
                "accuracy": runs[gate].result["test"]["accuracy"],
                "updates": int(counts.sum()),
                "epochs": int(np.flatnonzero(counts).max(initial=0)) + 1,
                "w": weights["output.weight"].flatten().tolist(),
                "b": float(weights["output.bias"]),
            },
        )
    bench.number("hidden", hidden.result["test"]["accuracy"])
    bench.number("by_hand", _xor_by_hand().tolist())
    bench.number("bound", {gate: _most_updates(runs[gate]) for gate in ("and", "or")})

    bench.figure(
        "gates",
        _draw_gates(
            {
                "AND": runs["and"],
                "OR": runs["or"],
                "XOR": runs["xor"],
                "XOR, hidden layer": hidden,
            }
        ),
    )
    bench.figure("updates", _draw_updates(mistakes))

    accuracy = {gate: run.result["test"]["accuracy"] for gate, run in runs.items()}
    bench.claim("The perceptron learns AND: its accuracy", accuracy["and"], at_least=1)
    bench.claim("The perceptron learns OR: its accuracy", accuracy["or"], at_least=1)
    bench.claim("A line gets at most three of XOR's rows right", accuracy["xor"], at_most=0.75)
    bench.claim(
        "On XOR it makes mistakes in each of the last ten epochs: the fewest of them",
        mistakes["xor"][-10:].min(),
        at_least=1,
    )
    bench.claim(
        "AND needs no more updates than the theorem allows: the share of them",
        mistakes["and"].sum() / _most_updates(runs["and"]),
        at_most=1,
    )
    bench.claim(
        "A hidden layer learns XOR: its accuracy", hidden.result["test"]["accuracy"], at_least=1
    )


def _mistakes_by_epoch(run: "Run") -> np.ndarray:
    """Return the number of updates in each epoch (epochs,).

    The training accuracy of an epoch counts each row before its step, and each mistake is a step.
    """
    rows = len(run.dataset.test)
    return np.array([round(rows * (1 - epoch["train/accuracy"])) for epoch in run.history])


def _most_updates(run: "Run") -> float:
    """Return Novikoff's bound on the number of updates, R^2 / gamma^2.

    R is the norm of the longest row (x, 1), gamma the largest distance that a plane through 0 can
    have from all rows (x, 1).
    """
    from scipy.optimize import minimize

    table = run.dataset.test
    inputs = run.model.standardize(table.inputs).numpy()  # (4, 2) of -1 and 1
    rows = np.column_stack([inputs, np.ones(len(table))])  # (4, 3)
    signed = rows * (2 * table.targets.numpy() - 1)[:, None]
    apart = {"type": "ineq", "fun": lambda w: signed @ w - 1}  # the plane with the smallest |w|
    w = minimize(lambda w: w @ w, np.ones(3), constraints=[apart], method="SLSQP").x
    return float((rows**2).sum(1).max() * (w @ w))


def _xor_by_hand() -> np.ndarray:
    """Return the outputs (4,) of a network of three threshold units, XOR = (x OR y) AND NAND."""
    inputs = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    hidden = inputs @ np.array([[1, -1], [1, -1]]) + np.array([-0.5, 1.5]) > 0  # OR, NAND
    return (hidden.sum(1) - 1.5 > 0).astype(int)  # AND of both


def _draw_gates(runs: "dict[str, Run]") -> "Figure":
    """Draw each network's regions with the rows of the truth table."""
    from dlcourse.drawing.boundary import draw_regions
    from dlcourse.drawing.style import COLOURS, empty_figure
    from dlcourse.introspect.grid import outputs_on_a_plane

    figure = empty_figure(10, 3.3)
    for axes, (gate, run) in zip(figure.subplots(1, 4, sharey=True), runs.items(), strict=True):
        table, model = run.dataset.test, run.model
        sides, outputs = outputs_on_a_plane(lambda x, model=model: model(x).detach(), table.inputs)
        sure = np.exp(4 * outputs - 4 * outputs.max(2, keepdims=True))
        draw_regions(axes, sides, sure / sure.sum(2, keepdims=True))
        for row, number in zip(table.inputs.tolist(), table.targets.tolist(), strict=True):
            axes.scatter(*row, s=260, color=COLOURS[number], clip_on=False)
            axes.annotate(str(number), row, ha="center", va="center", color="white", size=11)
        right = round(len(table) * run.result["test"]["accuracy"])
        axes.set_title(f"{gate}\n{right} of 4 right", size=11)
        axes.set(xticks=(0, 1), yticks=(0, 1), xlabel="x1", aspect="equal")
        axes.spines[:].set_visible(False)
    figure.axes[0].set_ylabel("x2")
    return figure


def _draw_updates(mistakes: dict[str, np.ndarray]) -> "Figure":
    """Draw the sum of all updates over the epochs, a line for each gate."""
    from dlcourse.drawing.style import empty_figure, line_look, style_axes

    figure = empty_figure(6.8, 3.6)
    axes = figure.add_subplot(xlabel="epoch", ylabel="updates so far")
    for number, (gate, counts) in enumerate(mistakes.items()):
        total = np.cumsum(counts)
        epochs = np.arange(1, len(total) + 1)
        axes.plot(epochs, total, linewidth=2, **line_look(number))
        side = {"and": "bottom", "or": "top", "xor": "center"}[gate]  # AND and OR are close
        axes.annotate(f" {gate.upper()}: {total[-1]}", (epochs[-1], total[-1]), va=side, size=11)
    axes.set_xlim(1, 1.2 * max(map(len, mistakes.values())))
    axes.set_title("AND and OR: no updates after a few epochs. XOR: updates without end", size=11)
    style_axes(axes)
    return figure
