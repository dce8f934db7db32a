"""Linear regression by the closed form and by gradient descent."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

STEP_LENGTH = 0.1
TERM_NAMES = ("w1", "w2", "w3", "w0")
SMOKE = ("max_epochs=3",)
FULL = ()


def measure(bench: Bench) -> None:
    """Fit the same 100 examples in one step and in many; compare both with the true weights."""
    closed = bench.train("experiment=lecture/linear_regression", "optim=closed_form")
    descent = bench.train(
        "experiment=lecture/linear_regression",
        f"optim.lr={STEP_LENGTH}",
        "observe=[history,trajectory]",
    )
    inputs = closed.dataset.train.inputs.double().numpy()
    targets = closed.dataset.train.targets.double().numpy()[:, 0]
    design = np.column_stack([inputs, np.ones(len(inputs))])  # (N, D + 1)
    w = np.linalg.lstsq(design, targets, rcond=None)[0]
    residuals = targets - design @ w
    variance = residuals @ residuals / (len(design) - design.shape[1])
    errors = np.sqrt(np.diag(variance * np.linalg.inv(design.T @ design)))  # standard errors

    true = np.append(*(closed.result["weights"]["true"][key][0] for key in ("w", "b")))
    by_form, by_descent = (_weights_in(run) for run in (closed, descent))
    rows = zip(
        TERM_NAMES, true.tolist(), by_form.tolist(), by_descent.tolist(), errors, strict=True
    )
    bench.number("rows", [[*row[:4], float(row[4])] for row in rows])

    eigenvalues, directions = np.linalg.eigh(design.T @ design / len(design))
    path = _path_of(descent)  # (epochs + 1, D + 1)
    start = directions.T @ (path[0] - w)
    epochs = np.arange(len(descent.history))
    factors = 1 - 2 * STEP_LENGTH * eigenvalues
    expected = (eigenvalues * (start * factors ** epochs[:, None]) ** 2).sum(1)
    excess = np.array([row["train/loss"] for row in descent.history]) - np.mean(residuals**2)
    bench.figure("descent", _draw_descent(path, w, true, excess, expected))
    bench.number("largest_rate", 1 / eigenvalues.max())
    bench.number("factors", [factors.min(), factors.max()])
    bench.number("loss", closed.result["train"]["loss"])
    bench.number("start_loss", descent.history[0]["train/loss"])
    early = excess > 1e-4  # below, float32 rounds
    ratio = excess[early] / expected[early]

    bench.claim(
        "The closed form is least squares: largest difference to NumPy's solution",
        np.abs(by_form - w).max(),
        at_most=1e-4,
    )
    bench.claim(
        "Gradient descent ends at the same weights: largest difference",
        np.abs(by_descent - by_form).max(),
        at_most=0.005,
    )
    bench.claim(
        "The true weights are near: largest distance in standard errors",
        np.abs((by_form - true) / errors).max(),
        at_most=4,
    )
    bench.claim(
        "The loss falls as the eigenvalues predict: largest deviation of the ratio from 1",
        np.abs(ratio - 1).max(initial=0),
        at_most=0.05,
    )


def _weights_in(run: "Run") -> np.ndarray:
    """Return the weights and the bias (D + 1,) that a run has found."""
    found = run.result["weights"]
    return np.append(found["w"][0], found["b"][0])


def _path_of(run: "Run") -> np.ndarray:
    """Return the weights before training and after each epoch (epochs + 1, D + 1)."""
    from dlcourse import atomic_files
    from dlcourse.observe.trajectory import stored
    from dlcourse.schema.run_files import TRAJECTORY

    files = stored(run.folder / TRAJECTORY).values()
    return np.stack([atomic_files.load_checked(one)["weights"].double().numpy() for one in files])


def _draw_descent(
    path: np.ndarray, w: np.ndarray, true: np.ndarray, excess: np.ndarray, expected: np.ndarray
) -> "Figure":
    """Draw the weights over the epochs with the closed form's, and the excess of the loss."""
    from dlcourse.drawing.style import BEST, MUTED, empty_figure, line_look, style_axes

    figure = empty_figure(9, 4)
    left, right = figure.subplots(1, 2)
    for number, name in enumerate(TERM_NAMES):
        look = line_look(number)
        left.plot(path[:, number], color=look["color"], linewidth=2)
        left.axhline(w[number], color=look["color"], linestyle="--", linewidth=1)
        left.annotate(
            f"{name}: {w[number]:.2f}  (true {true[number]:.2f})", (len(path), w[number] + 0.12),
            ha="right", size=9,
        )  # fmt: skip
    left.set(xlabel="epoch = step", ylabel="weight")
    left.set_title("Each weight ends at the closed form (dashed)", loc="left", size=11)
    right.semilogy(excess.clip(1e-9), "o", color=MUTED, markersize=4, label="measured")
    right.semilogy(expected, color=BEST, label="predicted by the eigenvalues")
    right.set(xlabel="epoch = step", ylabel="loss above that of the closed form")
    right.set_ylim(bottom=1e-7)
    right.set_title("A straight line on this axis: a constant factor", loc="left", size=11)
    right.legend(frameon=False, fontsize=9)
    style_axes(left, right)
    return figure
