"""From LeNet to the vision transformer: accuracy, parameters and multiply-adds."""

from typing import TYPE_CHECKING, Any

import dlcourse
from dlcourse.engine.instantiate import build
from dlcourse.introspect.summary import Summary, summarize_model
from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = (
    "data=digits", "data.examples=60", "data.test_examples=60", "max_epochs=1",
    "model=linear,lenet",
)  # fmt: skip
FULL = ("data.examples=20000", "data.test_examples=10000")
_FAMOUS = {
    "alexnet": ("AlexNet", 2012),
    "vgg11": ("VGG-11", 2014),
    "vgg16": ("VGG-16", 2014),
    "googlenet": ("GoogLeNet", 2014),
    "resnet18": ("ResNet-18", 2015),
    "resnet34": ("ResNet-34", 2015),
    "resnet50": ("ResNet-50", 2015),
    "vit_base": ("ViT-B/16", 2020),
}
"""The networks of ImageNet: their names, and the years when they were published first."""


def measure(bench: Bench) -> None:
    """Count the famous networks; train small ones on the same images, and compare them."""
    names = list(_FAMOUS)[:1] if bench.smoke else list(_FAMOUS)
    summaries = {name: _at_224(name) for name in names}
    famous = {name: _famous_row(name, one) for name, one in summaries.items()}
    bench.number("famous", famous)
    unequal = sum(row["parameters"] != row["published_parameters"] for row in famous.values())
    bench.figure("famous", _draw_famous(famous))

    sweep = bench.sweep("experiment=lecture/architectures")
    runs = {run.choices["model"]: run for run in sweep.runs}
    if not bench.smoke:
        runs["vit_tiny"] = bench.train("experiment=lecture/architectures_vit")
    trained = {name: _trained_row(run) for name, run in runs.items()}
    bench.number("trained", trained)
    bench.figure("trained", _draw_trained(trained))
    if bench.smoke:
        for name in ("mlp", "convnet", "resnet20", "vit_tiny"):
            trained[name] = trained["lenet"]
        for name in _FAMOUS:
            famous[name] = famous["alexnet"]

    bench.claim(
        f"The parameter counts differ from the published ones for none of {len(famous)} networks",
        unequal, at_most=0,
    )  # fmt: skip
    bench.claim(
        "VGG-16 has many times the parameters of GoogLeNet: ratio",
        famous["vgg16"]["parameters"] / famous["googlenet"]["parameters"], at_least=15,
    )  # fmt: skip
    bench.claim(
        "ResNet-50 needs a fraction of VGG-16's multiply-adds: ratio",
        famous["resnet50"]["multiply_adds"] / famous["vgg16"]["multiply_adds"], at_most=0.3,
    )  # fmt: skip
    bench.claim(
        "The convnet is better than the linear model: difference in test accuracy",
        trained["convnet"]["accuracy"] - trained["linear"]["accuracy"], at_least=0.01,
    )  # fmt: skip
    bench.claim(
        "The vision transformer has more parameters than ResNet-20 and, with this little data, is "
        "not better: difference in test accuracy",
        trained["vit_tiny"]["accuracy"] - trained["resnet20"]["accuracy"], at_most=0.02,
    )  # fmt: skip


def _at_224(name: str) -> Summary:
    """Return the layers of a network for images (3, 224, 224) and 1,000 classes; no training."""
    config = dlcourse.compose(f"model={name}", "data.size=224")
    return summarize_model(lambda: build(config["model"])((3, 224, 224), 1000), (3, 224, 224))


def _famous_row(name: str, summary: Summary) -> dict[str, Any]:
    """Return a network's counts, and what torchvision publishes of it; nothing is downloaded."""
    from torchvision.models import get_model_weights

    published = get_model_weights("vit_b_16" if name == "vit_base" else name)["IMAGENET1K_V1"].meta
    label, year = _FAMOUS[name]
    return {
        "label": label,
        "year": year,
        "parameters": summary.parameters,
        "published_parameters": published["num_params"],
        "multiply_adds": summary.multiply_adds,
        "accuracy": published["_metrics"]["ImageNet-1K"]["acc@1"] / 100,
    }


def _trained_row(run: "Run") -> dict[str, Any]:
    """Return the counts and the test accuracy of a run."""
    shape = run.dataset.input_shape
    summary = summarize_model(lambda: build(run.config["model"])(shape, 10), shape)
    return {
        "parameters": summary.parameters,
        "multiply_adds": summary.multiply_adds,
        "accuracy": run.result["test"]["accuracy"],
    }


def _draw_famous(rows: "Mapping[str, dict[str, Any]]") -> "Figure":
    """Draw the published accuracy over multiply-adds; the area of a circle is the parameters."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(8.6, 4.6)
    axes = figure.subplots()
    for number, row in enumerate(rows.values()):
        x, y = row["multiply_adds"] / 1e9, 100 * row["accuracy"]
        size = row["parameters"] / 1e6
        axes.scatter(x, y, s=9 * size, color=COLOURS[number], alpha=0.6, linewidth=0)
        axes.scatter(x, y, s=6, color="black")
        away = (9 * size) ** 0.5 / 2 + 3  # points from the centre of the circle to its label
        shift, across, down = {
            "VGG-11": ((0, away), "center", "bottom"), "ResNet-50": ((0, away), "center", "bottom"),
            "GoogLeNet": ((0, away), "center", "bottom"),
            "ResNet-34": ((-away, 0), "right", "center"),
        }.get(row["label"], ((0, -away), "center", "top"))  # fmt: skip
        axes.annotate(
            f"{row['label']}, {row['year']}\n{size:.0f} M", (x, y), fontsize=9, xytext=shift,
            textcoords="offset points", ha=across, va=down,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set(
        xlabel="multiply-adds for one image of 224 x 224, billions (log scale)",
        ylabel="ImageNet accuracy, % (published)", xlim=(0.4, 40), ylim=(50, 87),
    )  # fmt: skip
    axes.set_title(
        "ImageNet: ResNet-50 beats VGG-16 with a fifth of its parameters (area of a circle)",
        size=11,
    )
    axes.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
    axes.minorticks_off()
    style_axes(axes)
    return figure


def _draw_trained(rows: "Mapping[str, dict[str, Any]]") -> "Figure":
    """Draw the test accuracy over the parameters and over the multiply-adds."""
    from dlcourse.drawing.style import COLOURS, empty_figure, style_axes

    figure = empty_figure(9.4, 3.9)
    panels = figure.subplots(1, 2, sharey=True)
    figure.suptitle(
        "The same few images of clothes, five epochs: larger networks are not better", size=12
    )
    for axes, key in zip(panels, ("parameters", "multiply_adds"), strict=True):
        for number, (name, row) in enumerate(rows.items()):
            axes.plot(row[key], 100 * row["accuracy"], "o", color=COLOURS[number], markersize=8)
            axes.annotate(
                name, (row[key], 100 * row["accuracy"]), fontsize=9, ha="center",
                xytext=(0, 7), textcoords="offset points",
            )  # fmt: skip
        axes.set_xscale("log")
        axes.margins(0.14)
        axes.set_xlabel(f"{key.replace('_', '-')} (log scale)")
        style_axes(axes)
    panels[0].set_ylabel("test accuracy, %")
    return figure
