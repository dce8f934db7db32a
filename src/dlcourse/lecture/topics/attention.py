"""Attention by hand, positional encodings, and where a small vision transformer looks."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.lecture.bench import Bench
from dlcourse.model.vit import waves_in_a_row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from dlcourse.api.run import Run

SMOKE = ("data.examples=60", "max_epochs=1", "schedule.warmup=0")
FULL = ()

DOT_PRODUCTS, KEY_SIZE = (112.0, 96.0), 64
"""The dot products of a query with two keys, and the number of components of a key."""


@torch.no_grad()
def measure(bench: Bench) -> None:
    """Compute the example of two words; draw the encodings; train and look into a transformer."""
    scores = torch.tensor(DOT_PRODUCTS)
    scaled = scores / KEY_SIZE**0.5
    weights, unscaled = scaled.softmax(0), scores.softmax(0)
    draws = torch.randn(2, 10_000, KEY_SIZE, generator=torch.Generator().manual_seed(0))
    spread = float((draws[0] * draws[1]).sum(1).std())
    bench.number("scaled", scaled.tolist())
    bench.number("powers", (scaled - scaled.max()).exp().tolist())
    bench.number("weights", weights.tolist())
    bench.number("unscaled", float(unscaled[1]))
    bench.number("spread", spread)

    encoding = waves_in_a_row(50, KEY_SIZE)[0]  # (50, 64)
    products = encoding @ encoding.T
    bench.figure("positions", _draw_encoding(encoding.numpy(), products.numpy()))
    uneven = max(float(products.diagonal(lag).std()) for lag in range(40))

    run = bench.train("experiment=lecture/attention")
    bench.figure("attention", bench.look(run, "attention", images="0-3")[0])
    accuracy = bench.number("accuracy", run.result["test"]["accuracy"])
    network: Any = run.model.network
    near, far = learned_similarity(network.positions[0, 1:])
    bench.number("near", near)
    bench.number("far", far)
    blind, difference = without_positions(run)
    bench.number("blind", blind)

    bench.claim(
        "The scores 112 and 96 give the first weight 0.88",
        weights[0],
        at_least=0.875,
        at_most=0.885,
    )
    bench.claim(
        "Without the division by 8 the second weight is practically 0",
        float(unscaled[1]),
        at_most=1e-6,
    )
    bench.claim(
        "Sinusoidal encodings: the dot product of two positions depends on their distance alone; "
        "its standard deviation at equal distance",
        uneven,
        at_most=0.001,
    )
    bench.claim("The transformer reads digits: its test accuracy", accuracy, at_least=0.9)
    bench.claim(
        "It has learned which patches are neighbours: cosine of their encodings minus that of "
        "patches far apart",
        near - far,
        at_least=0.08,
    )
    bench.claim(
        "Without positional encodings shuffled patches give the same output: largest difference",
        difference,
        at_most=0.001,
    )
    bench.claim(
        "It needs them: test accuracy with positional encodings minus that without",
        accuracy - blind,
        at_least=0.1,
    )


def learned_similarity(encoding: Tensor) -> tuple[float, float]:
    """Return the mean cosine of encodings (patches, width) of direct neighbours, and of others.

    The others lie in another row and another column, and at least two patches apart in both.
    """
    side = int(len(encoding) ** 0.5)
    unit = torch.nn.functional.normalize(encoding, dim=1)
    cosine = unit @ unit.T
    row, column = torch.arange(len(encoding)) // side, torch.arange(len(encoding)) % side
    down, across = (row[:, None] - row).abs(), (column[:, None] - column).abs()
    near, far = down + across == 1, (down > 1) & (across > 1)
    return float(cosine[near].mean()), float(cosine[far].mean())


def without_positions(run: "Run") -> tuple[float, float]:
    """Return the test accuracy without positional encodings, and how much shuffled patches change.

    The second is the largest difference of an output between the images and the same images with
    their patches in another order. The run's model is changed.
    """
    network: Any = run.model.network
    test = run.dataset.test
    network.positions.zero_()
    images = run.model.standardize(test.inputs)
    side = network.embedding.kernel_size[0]
    patches = images.unfold(2, side, side).unfold(3, side, side)
    rows, columns = patches.shape[2:4]  # of (N, C, rows, columns, side, side)
    order = torch.randperm(rows * columns, generator=torch.Generator().manual_seed(0))
    mixed = patches.flatten(2, 3)[:, :, order].unflatten(2, (rows, columns))
    shuffled = mixed.permute(0, 1, 2, 4, 3, 5).reshape(images.shape)
    outputs = network(images)
    right = (outputs.argmax(1) == test.targets).float().mean()
    return float(right), float((outputs - network(shuffled)).abs().max())


def _draw_encoding(encoding: np.ndarray, products: np.ndarray) -> "Figure":
    """Draw the encodings (T, size) as a heat map, and the dot products of three positions."""
    from dlcourse.drawing.style import DIVERGING, empty_figure, line_look, style_axes

    figure = empty_figure(10, 3.9)
    left, right = figure.subplots(1, 2, width_ratios=(5, 4))
    shown = left.imshow(encoding, cmap=DIVERGING, vmin=-1, vmax=1, aspect="auto")
    left.set(xlabel="component: sin, cos, sin, cos ...", ylabel="position")
    left.set_title("each row: the encoding of one position", size=11)
    figure.colorbar(shown, ax=left, label="value")
    for number, place in enumerate((10, 25, 40)):
        right.plot(products[place], linewidth=2, **line_look(number))
        right.annotate(f"of {place}", (place, products[place, place]), (0, 3), ha="center",
                       textcoords="offset points", size=10)  # fmt: skip
    right.set(xlabel="position", ylabel="dot product", ylim=(0, 1.12 * products.max()))
    right.set_title("dot product with positions 10, 25, 40", size=11)
    style_axes(right)
    return figure
