"""Polynomials of order 0 to 9 through ten points, and ridge."""

from typing import TYPE_CHECKING

import numpy as np

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from dlcourse.api.run import Run

SHOWN_ORDERS = (0, 1, 3, 9)
RIDGES_TRIED = (1e-8, 1e-6, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0)
SMOKE = ("data.test_examples=20",)
FULL = ()


def measure(bench: Bench) -> None:
    """Fit all orders without a penalty, then order 9 with penalties from tiny to huge."""
    from dlcourse.data.sine import sine_wave
    from dlcourse.drawing.fit_panels import FitPanel, draw_error_curves, draw_fit_panels

    by_order = bench.sweep(
        "experiment=lecture/polynomials", *(["model.order=0,1,3,9"] if bench.smoke else [])
    )
    orders = {run.config["model"]["order"]: run for run in by_order.runs}
    tried = RIDGES_TRIED[::4] if bench.smoke else RIDGES_TRIED
    by_ridge = bench.sweep(
        "experiment=lecture/polynomials",
        "model.order=9",
        f"optim.ridge={','.join(f'{one:g}' for one in tried)}",
    )
    ridges = {run.config["optim"]["ridge"]: run for run in by_ridge.runs}
    best = min(ridges, key=lambda one: _rms(ridges[one], "test"))

    train = orders[9].dataset.train
    points = train.inputs[:, 0].numpy(), train.targets[:, 0].numpy()
    x = np.linspace(0, 1, 201)
    truth = sine_wave(train.inputs.new_tensor(x)).numpy()

    def panel(title: str, run: "Run") -> FitPanel:
        return FitPanel(
            title, np.polynomial.polynomial.polyval(x, _coefficients(run))[None], truth, points
        )

    fits = [
        panel(f"order {one}: test error {_rms(orders[one], 'test'):.2f}", orders[one])
        for one in SHOWN_ORDERS
    ]
    bench.figure("orders", draw_fit_panels(x, fits, 2))
    ends = {"too small": min(ridges), "the best": best, "too large": max(ridges)}
    fits = [panel(f"order 9, penalty {one:g}: {word}", ridges[one]) for word, one in ends.items()]
    bench.figure("ridge", draw_fit_panels(x, fits, 3))
    noise = orders[9].config["data"]["noise"]
    curves = [
        (title, name, sorted(runs), {
            f"{part} data": [_rms(runs[one], key) for one in sorted(runs)]
            for part, key in (("training", "train"), ("test", "test"))
        })
        for title, name, runs in (
            ("No penalty: a high order fits the noise", "order of the polynomial", orders),
            ("Order 9: a penalty repairs it", "ridge penalty", ridges),
        )
    ]  # fmt: skip
    level = ("noise of the data", noise)
    bench.figure("errors", draw_error_curves(curves, "root mean squared error", level=level))

    table = {one: _coefficients(orders[one]) for one in SHOWN_ORDERS} | {
        "best": _coefficients(ridges[best])
    }
    bench.number(
        "coefficients",
        [[float(row[k]) if k < len(row) else None for row in table.values()] for k in range(10)],
    )
    bench.number("rms", {f"{one}": _errors(orders[one]) for one in SHOWN_ORDERS})
    bench.number("ridge", {word: [one, *_errors(ridges[one])] for word, one in ends.items()})
    largest = {one: float(np.abs(row).max()) for one, row in table.items()}
    bench.number("largest", {f"{one}": value for one, value in largest.items()})
    nine, three = _rms(orders[9], "test"), _rms(orders[3], "test")
    bench.claim(
        "Order 9 goes through all ten points: error on the training data",
        _rms(orders[9], "train"),
        at_most=0.01,
    )
    bench.claim(
        "It is wrong between them: test error of order 9 over that of order 3",
        nine / three,
        at_least=2,
    )
    bench.claim(
        "Its coefficients are huge: the largest of order 9 over the largest of order 3",
        largest[9] / largest[3],
        at_least=1000,
    )
    bench.claim(
        "The best penalty repairs order 9: its test error over that of order 3",
        _rms(ridges[best], "test") / three,
        at_most=1.25,
    )
    bench.claim(
        "Too large a penalty does harm as well: its test error over the best one",
        _rms(ridges[max(ridges)], "test") / _rms(ridges[best], "test"),
        at_least=1.5,
    )


def _rms(run: "Run", part: str) -> float:
    """Return the root mean squared error of a run on ``train`` or ``test``."""
    return run.result[part]["rmse"]


def _errors(run: "Run") -> list[float]:
    """Return the root mean squared errors on the training and on the test data."""
    return [_rms(run, "train"), _rms(run, "test")]


def _coefficients(run: "Run") -> np.ndarray:
    """Return w_0, w_1, ..., w_M of the polynomial in x that a run has found."""
    found = run.result["weights"]
    return np.array([*found["b"], *found["w"][0]])
