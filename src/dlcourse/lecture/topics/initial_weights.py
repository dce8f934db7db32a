"""Initial weights in a ReLU network of 30 layers: zeros, too small, too large, Xavier, He."""

from typing import TYPE_CHECKING

from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.introspect.signals import LayerSignal

SMOKE = ("max_epochs=1", "data.examples=60", "model.widths=[8,8]")
FULL = ()

_DEPTH, _WIDTH = 30, 256
_NAMES = {
    "he_normal": "He",
    "xavier_normal": "Xavier",
    "zeros": "zeros",
    0.03: "σ = 0.03, too small",
    0.2: "σ = 0.2, too large",
}


def measure(bench: Bench) -> None:
    """Measure the variance layer by layer before training, then train with each kind of weights."""
    width = 16 if bench.smoke else _WIDTH
    net = ("model=mlp", f"model.widths=[{width}]", f"depth={_DEPTH}")
    bench.command("show", "what=init", *net, "init=he_normal,xavier_normal,zeros")
    signals = {
        "He": _signals("init=he_normal", width),
        "Xavier": _signals("init=xavier_normal", width),
        _NAMES[0.03]: _signals("init=normal", width, "init.std=0.03"),
        _NAMES[0.2]: _signals("init=normal", width, "init.std=0.2"),
    }
    for name, key in zip(signals, ("he", "xavier", "small", "large"), strict=True):
        layers = signals[name][:_DEPTH]
        found = {
            "first": layers[0].variance,
            "last": layers[-1].variance,
            "ratio": layers[-1].variance / layers[0].variance,
            "factor": (layers[-1].variance / layers[0].variance) ** (1 / (_DEPTH - 1)),
            "gradient_ratio": layers[0].gradient / layers[-1].gradient,
        }
        bench.number(key, found)
    bench.number("theory", {"xavier": 2.0**-(_DEPTH - 1), "small": width * 0.03**2 / 2,
                            "large": width * 0.2**2 / 2, "std": (2 / width) ** 0.5})  # fmt: skip
    bench.figure("variance", _draw_variances(signals))

    trained = bench.sweep("experiment=lecture/initial_weights")
    sized = bench.sweep("experiment=lecture/initial_weights", "init=normal", "init.std=0.03,0.2")
    runs = {_NAMES[run.choices["init"]]: run for run in trained.runs}
    runs |= {_NAMES[run.config["init"].get("std", 0.03)]: run for run in sized.runs}
    runs = {name: runs[name] for name in (*signals, "zeros") if name in runs}
    curves = {name: [row["val/accuracy"] for row in run.history] for name, run in runs.items()}
    accuracy = bench.number("accuracy", {name: values[-1] for name, values in curves.items()})
    losses = {name: run.history[-1]["train/loss"] for name, run in runs.items()}
    bench.number("loss", losses)
    bench.figure("training", _draw_training(curves))

    he, xavier = bench.numbers["he"]["ratio"], bench.numbers["xavier"]["ratio"]
    text = "He: the variance of layer 30 is that of layer 1, within a factor of 10"
    bench.claim(text, max(he, 1 / he), at_most=10)
    text = "Xavier: from layer 1 to 30 the variance shrinks like 2^-29, within a factor of 30"
    bench.claim(text, xavier * 2 ** (_DEPTH - 1), at_least=1 / 30, at_most=30)
    text = "Xavier: the gradient shrinks as much on its way back to layer 1"
    bench.claim(text, bench.numbers["xavier"]["gradient_ratio"], at_most=1e-6)
    bench.claim("He learns: validation accuracy", accuracy["He"], at_least=0.8)
    text = "With Xavier's the same training is behind He's by"
    bench.claim(text, accuracy["He"] - accuracy["Xavier"], at_least=0.2)
    text = "With zeros it is never better than guessing"
    bench.claim(text, accuracy.get("zeros", 0.1), at_most=0.15)


def _signals(init: str, width: int, *more: str) -> "list[LayerSignal]":
    """Return what ``dlcourse show what=init`` measures in each layer of a new network."""
    from dlcourse.preview.init import deepened, signals_of
    from dlcourse.preview.variants import variants_of

    (run,) = variants_of(["model=mlp", f"model.widths=[{width}]", init, *more], "a plot", 1)
    return signals_of(deepened(run, _DEPTH).config, 256, normal=False)


def _draw_variances(signals: "dict[str, list[LayerSignal]]") -> "Figure":
    """Draw the variance of the signals and of the gradients over the layers."""
    from dlcourse.drawing.named_lines import draw_named_lines
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(8.2, 5.6)
    panels = figure.subplots(2, 1, sharex=True)
    layers = range(1, _DEPTH + 1)
    for axes, key in zip(panels, ("variance", "gradient"), strict=True):
        axes.set_yscale("log")
        values = {
            name: (layers, [getattr(layer, key) or float("nan") for layer in found[:_DEPTH]])
            for name, found in signals.items()
        }
        draw_named_lines(axes, values)
    panels[0].set_title("Forward: variance of each layer's outputs", loc="left", size=11)
    panels[1].set_title("Backward: variance of the loss's gradient there", loc="left", size=11)
    panels[1].set_xlabel("layer, from the inputs (1) to the outputs (30)")
    figure.suptitle("With He's weights, signals and gradients keep their size", x=0.01, ha="left")
    return figure


def _draw_training(curves: dict[str, list[float]]) -> "Figure":
    """Draw the validation accuracy over the epochs."""
    from dlcourse.drawing.named_lines import draw_named_lines
    from dlcourse.drawing.style import empty_figure

    figure = empty_figure(7.4, 3.6)
    axes = figure.subplots()
    axes.set(ylim=(0, 1), xlabel="epoch", ylabel="validation accuracy")
    lines = {name: (range(1, len(y) + 1), y) for name, y in curves.items()}
    draw_named_lines(axes, lines, marker="o", markersize=4)
    axes.set_title("The same 30 layers, trained from five kinds of weights", loc="left", size=11)
    return figure
