"""The arithmetic of convolution and pooling: sizes, the matrix, and what pooling keeps."""

import re
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from dlcourse.layer.convolution import output_size, toeplitz
from dlcourse.layer.pool import pool_layer
from dlcourse.lecture.bench import Bench
from dlcourse.preview.convolution import KERNEL_OF_THE_EXAMPLE, MAP_OF_THE_EXAMPLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOKE = ()
FULL = ()
_SETTINGS = {
    "stride 1": (3, 1, 0, 1),
    "stride 2": (3, 2, 0, 1),
    "padding 1": (3, 1, 1, 1),
    "dilation 2": (3, 1, 0, 2),
}
"""Kernel, stride, padding and dilation of the first image."""

_SIDE, _DRAWS = 7, 10_000
_POOLED_MAP = [[1, 3, 0, 2], [2, 6, 1, 1], [4, 0, 8, 0], [0, 4, 0, 0]]


def measure(bench: Bench) -> None:
    """Compare sizes, the matrix product and the poolings with PyTorch's layers."""
    printed = bench.command("show", "what=convolution").text
    bench.number("printed", re.findall(r"Result: (.*)", printed)[0])

    sizes = {name: output_size(_SIDE, *settings) for name, settings in _SETTINGS.items()}
    bench.number("sizes", {name.replace(" ", "_"): size for name, size in sizes.items()})
    bench.figure("windows", _draw_settings(sizes))
    tried, wrong = _compare_sizes()
    bench.number("tried", tried)

    values = torch.tensor(MAP_OF_THE_EXAMPLE, dtype=torch.float32).view(4, 4)
    kernel = torch.tensor(KERNEL_OF_THE_EXAMPLE, dtype=torch.float32).view(3, 3)
    matrix = toeplitz(kernel, (4, 4))  # (4, 16)
    result = matrix @ values.flatten()
    by_layer = F.conv2d(values[None, None], kernel[None, None]).flatten()
    bench.number("rows", [int(value) for value in matrix[0]])
    bench.number("zeros", float((matrix == 0).float().mean()))
    bench.figure("matrix", _draw_matrix(matrix, values, result))

    bench.number("lenet", {str(side): _lenet_features(side) for side in (28, 32)})
    pooled = _pool_all(torch.tensor(_POOLED_MAP, dtype=torch.float32))
    bench.number("pooled", {name: maps.tolist() for name, maps in pooled.items()})
    bench.figure("pooling", _draw_pooling(pooled))

    bench.claim(
        f"The size formula differs from PyTorch's in none of {tried:,} cases", wrong, at_most=0
    )
    expected = torch.tensor([122.0, 148.0, 126.0, 134.0])
    bench.claim(
        "The matrix product gives 122, 148, 126, 134: largest difference",
        (result - expected).abs().max().item(), at_most=0,
    )  # fmt: skip
    bench.claim(
        "It is the convolution of PyTorch: largest difference",
        (result - by_layer).abs().max().item(), at_most=1e-4,
    )  # fmt: skip
    bench.claim(
        f"Over {_DRAWS:,} draws stochastic pooling has the mean that it uses after training: "
        "largest difference",
        (pooled["mean of draws"] - pooled["stochastic"]).abs().max().item(), at_most=0.2,
    )  # fmt: skip
    bench.claim("LeNet has 400 features at 32 x 32", _lenet_features(32), at_least=400, at_most=400)


def _compare_sizes() -> tuple[int, int]:
    """Return the number of settings, and how many have another size than PyTorch's layer gives."""
    tried = wrong = 0
    for size, kernel, stride, padding, dilation in product(
        range(3, 16), range(1, 6), range(1, 5), range(4), range(1, 4)
    ):
        if size + 2 * padding < dilation * (kernel - 1) + 1:
            continue  # the kernel does not fit
        maps, weights = torch.empty(1, 1, size, 1), torch.empty(1, 1, kernel, 1)
        layer = F.conv2d(maps, weights, None, (stride, 1), (padding, 0), (dilation, 1))
        tried += 1
        wrong += layer.shape[2] != output_size(size, kernel, stride, padding, dilation)
    return tried, wrong


def _lenet_features(side: int) -> int:
    """Return the number of features of LeNet-5 without padding: conv 5, pool 2, conv 5, pool 2."""
    for kernel, stride in ((5, 1), (2, 2), (5, 1), (2, 2)):
        side = output_size(side, kernel, stride)
    return 16 * side * side


def _pool_all(values: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the map (4, 4), and what each pooling with window 2 and step 2 makes of it (2, 2)."""
    maps = values[None, None]
    pooled = {"map": values}
    for name in ("max", "average", "stochastic"):
        pooled[name] = pool_layer(name, 2).eval()(maps)[0, 0]
    torch.manual_seed(0)
    drawing = pool_layer("stochastic", 2).train()
    pooled["mean of draws"] = drawing(maps.expand(_DRAWS, 1, 4, 4)).mean(0)[0]
    return pooled


def _draw_settings(sizes: dict[str, int]) -> "Figure":
    """Draw the cells that the first and the second output of a row see, for each setting."""
    from matplotlib.patches import Rectangle

    from dlcourse.drawing.cells import frame_cells
    from dlcourse.drawing.style import COLOURS, MUTED, empty_figure

    figure = empty_figure(9, 3.5)
    figure.suptitle(f"A kernel of 3 x 3 on a map of {_SIDE} x {_SIDE}", size=12)
    for axes, (name, (kernel, stride, padding, dilation)) in zip(
        figure.subplots(1, len(_SETTINGS)), _SETTINGS.items(), strict=True
    ):
        side = _SIDE + 2 * padding
        for row, column in np.ndindex(side, side):
            outside = min(row, column, side - 1 - row, side - 1 - column) < padding
            face = "#dfe2e6" if outside else "white"
            axes.add_patch(Rectangle((column, row), 1, 1, ec=MUTED, lw=0.7, fc=face))
            if outside:
                axes.text(column + 0.5, row + 0.5, "0", size=8, ha="center", va="center")
        for tap in product(range(0, kernel * dilation, dilation), repeat=2):
            axes.add_patch(Rectangle((tap[1], tap[0]), 1, 1, ec=MUTED, lw=0.7, fc=COLOURS[1]))
            axes.plot(tap[1] + stride + 0.5, tap[0] + 0.5, "o", color=COLOURS[0], markersize=6)
        frame_cells(axes, side, side)
        axes.set_title(f"{name}\noutput {sizes[name]} x {sizes[name]}", size=11)
    note = (
        "orange: seen by the first output   blue dots: by the second   grey: zeros of the padding"
    )
    figure.supxlabel(note, size=10)
    return figure


def _draw_matrix(matrix: torch.Tensor, values: torch.Tensor, result: torch.Tensor) -> "Figure":
    """Draw the matrix times the flattened map = the flattened result."""
    from dlcourse.drawing.cells import draw_product

    title = "A convolution as a product: each row of the matrix is the kernel at one position"
    return draw_product(matrix.numpy(), values.flatten().numpy(), result.numpy(), title)


def _draw_pooling(pooled: dict[str, torch.Tensor]) -> "Figure":
    """Draw a map with its four windows, and next to it the result of each pooling."""
    from dlcourse.drawing.cells import frame_cells
    from dlcourse.drawing.style import COLOURS, empty_figure

    figure = empty_figure(9, 2.7)
    figure.suptitle("Pooling: window 2 x 2, step 2", size=12)
    for axes, (name, maps) in zip(
        figure.subplots(1, len(pooled), width_ratios=[2, 1.3, 1.3, 1.3, 1.3]),
        pooled.items(), strict=True,
    ):  # fmt: skip
        side, window = len(maps), len(maps) // 2
        for row, column in np.ndindex(side, side):
            colour = COLOURS[2 * (row // window) + column // window]
            axes.fill(
                [column, column + 1, column + 1, column], [row, row, row + 1, row + 1],
                fc=colour, alpha=0.35, ec="white",
            )  # fmt: skip
            number = f"{maps[row, column]:.2f}".removesuffix(".00")
            axes.text(column + 0.5, row + 0.5, number, size=11, ha="center", va="center")
        frame_cells(axes, side, side)
        axes.set_title(name, size=11)
    return figure
