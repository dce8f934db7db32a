"""The features of an autoencoder with and without dropout."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from dlcourse.core import WHITE
from dlcourse.lecture.bench import Bench

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("data=digits", "data.examples=60", "data.test_examples=60", "max_epochs=1")
FULL = ("data.examples=60000", "data.test_examples=10000")

AUTOENCODERS = {0: "without dropout", 0.5: "with dropout"}
BLACK_BORDER = 4
"""Pixels at each side that are black in nearly all images: their weights stay as drawn."""


@torch.no_grad()
def measure(bench: Bench) -> None:
    """Train both autoencoders; compare their features, their active units, and a loss of half."""
    sweep = bench.sweep("experiment=lecture/autoencoder")
    runs = {AUTOENCODERS[run.config["model"]["dropout"]]: run for run in sweep.runs}
    half = torch.rand(256, generator=torch.Generator().manual_seed(0)) < 0.5  # units that are kept
    rows, measured = {}, {}
    for name in AUTOENCODERS.values():
        run = runs[name]
        net: Any = run.model.network
        images = run.dataset.test.inputs
        hidden = net.activation(net.hidden(run.model.standardize(images).flatten(1)))  # (N, 256)
        whole, partial = net.output(hidden), net.output(2 * half * hidden)  # (N, 784)
        pixels = images.flatten(1) / WHITE
        used = (hidden > 0).any(0)  # (256,)
        smooth = neighbour_correlation(net.hidden.weight[used])
        measured[name] = bench.number(
            "dropout" if name == "with dropout" else "plain",
            {
                "active": float((hidden > 0).float().mean()),
                "unused": int((~used).sum()),
                "smooth": float(smooth.median()),
                "error": float((whole - pixels).square().mean().sqrt()),
                "half_error": float((partial - pixels).square().mean().sqrt()),
            },
        )
        rows |= {name: whole, f"{name},\nhalf of the units": partial}

    bench.figure("features", _draw_features(runs))
    bench.figure("reconstructions", _draw_reconstructions(runs["with dropout"], rows))

    plain, dropped = measured["without dropout"], measured["with dropout"]
    bench.claim(
        "Dropout makes features smoother: how much larger the correlation of neighbouring weights",
        dropped["smooth"] / plain["smooth"],
        at_least=1.2,
    )
    bench.claim(
        "Dropout makes the hidden layer sparse: active units, as a share of those without it",
        dropped["active"] / plain["active"],
        at_most=0.6,
    )
    bench.claim(
        "Without dropout the units need each other: the error grows without half of them, times",
        plain["half_error"] / plain["error"],
        at_least=3,
    )
    bench.claim(
        "With dropout they need each other less: the error grows, times",
        dropped["half_error"] / dropped["error"],
        at_most=2,
    )
    bench.claim(
        "Dropout costs accuracy when all units are there: its error, times that without it",
        dropped["error"] / plain["error"],
        at_least=1.2,
    )


def neighbour_correlation(weight: Tensor) -> Tensor:
    """Return for each feature the correlation (units,) of the weights of neighbouring pixels.

    weight: (units, 784). It is 0 for noise and near 1 for smooth spots and strokes. The black
    border of the images is left out.
    """
    features = weight.unflatten(1, (28, 28))[
        :, BLACK_BORDER:-BLACK_BORDER, BLACK_BORDER:-BLACK_BORDER
    ]

    def correlation(one: Tensor, other: Tensor) -> Tensor:
        one, other = (part.flatten(1) - part.mean((1, 2))[:, None] for part in (one, other))
        return nn.functional.cosine_similarity(one, other)

    down = correlation(features[:, 1:], features[:, :-1])
    across = correlation(features[:, :, 1:], features[:, :, :-1])
    return (down + across) / 2


def _draw_features(runs: "dict[str, Run]") -> "Figure":
    """Draw the largest 25 features of both networks next to each other."""
    from dlcourse.drawing.image_grid import draw_image_grid
    from dlcourse.drawing.style import DIVERGING

    blocks = []
    for name in AUTOENCODERS.values():
        net: Any = runs[name].model.network
        weight = net.hidden.weight
        largest = weight.norm(dim=1).argsort(descending=True)[:25]
        shown = weight[largest] / weight[largest].abs().amax(1, keepdim=True)
        blocks.append(shown.unflatten(1, (28, 28)).cpu().numpy())
    images = []
    for row in range(0, 25, 5):
        images += [*blocks[0][row : row + 5], None, *blocks[1][row : row + 5]]
    gap = 50 * " "
    return draw_image_grid(
        images, columns=11, cell=0.62, colours=DIVERGING, limits=(-1, 1),
        title=f"without dropout: noise{gap}with dropout: spots and strokes",
    )  # fmt: skip


def _draw_reconstructions(run: "Run", rows: dict[str, Tensor]) -> "Figure":
    """Draw test images, and below them what each network makes of them. rows: (N, 784) each."""
    from dlcourse.drawing.image_rows import draw_image_rows

    shown = range(8)
    images = {"test images": run.dataset.test.inputs[:8, 0] / WHITE}
    images |= {name: outputs[:8].unflatten(1, (28, 28)) for name, outputs in rows.items()}
    return draw_image_rows(
        {name: [one[i].cpu().numpy() for i in shown] for name, one in images.items()},
        title="Reconstructions, with all 256 hidden units and with a random half of them",
        limits=(0, 1),
    )
