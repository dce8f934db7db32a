"""Methods without a network next to networks, on the same examples."""

import json
from statistics import fmean
from typing import TYPE_CHECKING

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from dlcourse.api.run import Run
    from dlcourse.drawing.methods import MethodRow

TRIED_VALUES = ("knn.neighbors=1,3,5,9", "svm.c=1,10")
_TITLE = "Digits: methods with and without a network"
SMOKE = ("data.examples=60", "max_epochs=1", "model=linear,mlp")
FULL = ()


def measure(bench: Bench) -> None:
    """Fit the baselines and train the networks on the same split of the digits."""
    from dlcourse.drawing.methods import MethodRow, accuracy_interval, draw_methods

    small = ("data.examples=60", "stumps.n=3", "forest.n=5") if bench.smoke else ()
    printed = bench.command("baseline", "method=all", *TRIED_VALUES, *small)
    assert printed.folder is not None
    found = json.loads((printed.folder / "results.json").read_text("utf-8"))
    trained = bench.sweep("experiment=lecture/baselines")

    rows = [
        MethodRow(one["method"], one["val"]["accuracy"], one["test"]["accuracy"], one["seconds"])
        for one in found["methods"]
    ]
    by_model = {run.choices["model"]: run for run in trained.runs}
    names = [name for name in ("linear", "mlp", "lenet") if name in by_model]
    rows += [_network_row(name, by_model[name]) for name in names]
    by_name = {row.name: row for row in rows}
    bench.number("rows", [list(row[:4]) for row in sorted(rows, key=lambda row: -row.test)])
    bench.number("neighbors", found["methods"][0]["options"]["neighbors"])
    bench.number("test", found["examples"]["test"])
    majority = by_name.pop("majority")
    bench.number("majority", majority.test)
    simple = max((by_name[one] for one in ("knn", "svm", "forest")), key=lambda row: row.val or 0)
    networks = [row for row in rows if row.name.endswith(" network")]
    network = networks[-1]  # LeNet
    bench.number("simple", list(simple[:4]))
    bench.number("network", list(network[:4]))
    bench.number("interval", list(accuracy_interval(network.test, found["examples"]["test"])))
    bench.figure(
        "methods",
        draw_methods(list(by_name.values()), "accuracy", _TITLE, found["examples"]["test"]),
    )

    bench.claim("Always the most frequent class: its accuracy", majority.test, at_most=0.15)
    bench.claim(
        "LeNet is ahead of the baseline that validation prefers by",
        network.test - simple.test,
        at_most=0.025,
    )
    bench.claim(
        "Softmax regression of scikit-learn and by gradient descent agree: difference",
        abs(by_name["linear"].test - by_name["linear network"].test),
        at_most=0.025,
    )
    bench.claim(
        "The best baseline beats the linear one by", simple.test - by_name["linear"].test,
        at_least=0.005,
    )  # fmt: skip
    gaps = {
        kind: fmean(row.val - row.test for row in some if row.val is not None)
        for kind, some in {"networks": networks, "others": rows[: -len(networks)]}.items()
    }
    bench.number("gaps", gaps)
    bench.claim(
        "The networks' validation, the best of many epochs, is above their test by",
        gaps["networks"],
        at_least=0.003,
    )
    bench.claim(
        "LeNet takes this many times as long as that baseline",
        network.seconds / simple.seconds,
        at_least=2,
    )


def _network_row(name: str, run: "Run") -> "MethodRow":
    """Return the row of a trained network."""
    from dlcourse.drawing.methods import MethodRow

    val, test = (run.result[part]["accuracy"] for part in ("val", "test"))
    return MethodRow(f"{name} network", val, test, run.result["seconds"])
