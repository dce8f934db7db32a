"""A spatial transformer in front of LeNet-5, and LeNet-5 alone, on distorted digits."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from dlcourse.augment.affine import affine
from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("data=digits", "data.examples=60", "data.test_examples=60", "max_epochs=1")
FULL = ()


@torch.no_grad()
def measure(bench: Bench) -> None:
    """Train both on distorted digits; test on distorted ones; look at what the transformer does."""
    sweep = bench.sweep("experiment=lecture/spatial_transformer")
    runs = {run.choices["model"]: run for run in sweep.runs}
    test, options = runs["stn"].dataset.test, runs["stn"].config["augment"]["affine"]
    ranges = {key: options[key] for key in ("degrees", "translate", "scale", "shear")}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        distorted = affine(test.inputs.float(), test.targets, **ranges)[0]
    distorted = distorted.round().to(torch.uint8)

    accuracy = {}
    for model, run in runs.items():
        right = {
            "upright": (run.predict(test.inputs).argmax(1) == test.targets).float().mean(),
            "distorted": (run.predict(distorted).argmax(1) == test.targets).float().mean(),
        }
        accuracy[model] = {name: float(share) for name, share in right.items()}
        parameters = run.result["parameters"]
        bench.number(model, accuracy[model] | {"parameters": parameters})
    back, maps = transformed(runs["stn"], distorted)
    spread = bench.number(
        "spread",
        {
            "upright": centre_spread(test.inputs),
            "distorted": centre_spread(distorted),
            "transformed": centre_spread(back),
        },
    )
    bench.number("zoom", float(1 / maps[:, :, :2].det().abs().sqrt().mean()))
    bench.figure("transformed", _draw_transformed(test.inputs, distorted, back))

    bench.claim(
        "Distorted digits: accuracy with the transformer",
        accuracy["stn"]["distorted"],
        at_least=0.85,
    )
    bench.claim(
        "Distorted digits: accuracy with it minus that of LeNet-5 alone",
        accuracy["stn"]["distorted"] - accuracy["lenet"]["distorted"],
        at_least=0.03,
    )
    bench.claim(
        "The transformer moves the digits to one place: spread of their centres after it, as a "
        "share of that before",
        spread["transformed"] / spread["distorted"],
        at_most=0.6,
    )


def transformed(run: "Run", images: Tensor) -> tuple[Tensor, Tensor]:
    """Return raw images (N, C, H, W) as LeNet-5 gets them, and the affine maps (N, 2, 3)."""
    model = run.model
    network: Any = model.network
    inputs = model.standardize(images)
    back = network.transform(inputs) / model.scale + model.mean  # grey levels again
    return back, network.affine(inputs)


def centre_spread(images: Tensor) -> float:
    """Return the standard deviation in pixels of the centres of mass of images (N, 1, H, W)."""
    ink = images[:, 0].float().clamp(0, 255)
    total = ink.sum((1, 2)).clamp(min=1)
    down = (ink.sum(2) * torch.arange(ink.shape[1])).sum(1) / total
    across = (ink.sum(1) * torch.arange(ink.shape[2])).sum(1) / total
    return float(((down.var() + across.var()) / 2).sqrt())


def _draw_transformed(upright: Tensor, distorted: Tensor, back: Tensor) -> "Figure":
    """Draw ten test images, distorted, and after the transformer; last their means over all."""
    from dlcourse.drawing.image_rows import draw_image_rows
    from dlcourse.introspect.displayed import displayed

    rows = {"test image": upright, "distorted:\ninput of the network": distorted,
            "transformed:\ninput of LeNet-5": back}  # fmt: skip
    mean = {name: images.float().mean(0, keepdim=True) for name, images in rows.items()}
    return draw_image_rows(
        {
            name: [*displayed(images[:9]), None, *displayed(mean[name] * 2.5)]
            for name, images in rows.items()
        },
        [*9 * [""], "", "mean of all"],
        title="The transformer brings the digits back to the middle and to one size",
        name_width=1.7,
    )
