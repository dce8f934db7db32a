"""Sizes, windows, matrix and overlaps are those of torch's convolutions."""

import pytest
import torch
from matplotlib.patches import Rectangle
from torch.nn import functional as F


def test_the_worked_example_is_shown_number_by_number(shown):
    text, figures = shown("what=convolution")
    assert "Result: [[122, 148], [126, 134]]" in text
    assert "Output 1, 1: 1 x 4 + 4 x 5 + 1 x 8 + 1 x 1 + 4 x 8" in text
    numbers = [label.get_text() for label in figures["matrix"].axes[0].texts]
    assert [number for number in numbers if len(number) == 3] == ["122", "148", "126", "134"]
    assert "even inside: 4 inputs" in text
    assert "checkerboard: 1, 2, 4 inputs" in text


@pytest.mark.parametrize(
    "sides",
    [
        {"size": 5, "kernel": 3, "stride": 2, "padding": 1, "dilation": 1},
        {"size": 6, "kernel": 2, "stride": 3, "padding": 2, "dilation": 3},
        {"size": 4, "kernel": 1, "stride": 1, "padding": 0, "dilation": 1},
    ],
)
def test_size_windows_and_product_are_those_of_torch(sides, shown):
    numbers = torch.arange(1.0, sides["size"] ** 2 + 1)
    weights = torch.arange(2.0, sides["kernel"] ** 2 + 2)
    text, figures = shown(
        "what=convolution",
        *(f"{key}={value}" for key, value in sides.items()),
        f"input={','.join(f'{n:g}' for n in numbers)}",
        f"weights={','.join(f'{n:g}' for n in weights)}",
    )
    maps = F.pad(numbers.view(1, 1, sides["size"], sides["size"]), [sides["padding"]] * 4)
    maps.requires_grad_()
    kernel = weights.view(1, 1, sides["kernel"], sides["kernel"])
    expected = F.conv2d(maps, kernel, stride=sides["stride"], dilation=sides["dilation"])[0, 0]
    side = len(expected)
    assert f"give {side} x {side}:" in text
    rows = [", ".join(f"{value:g}" for value in row) for row in expected.tolist()]
    assert f"Result: [[{'], ['.join(rows)}]]" in text
    for axes, output in zip(figures["windows"].axes, expected.flatten(), strict=True):
        (gradient,) = torch.autograd.grad(output, maps, retain_graph=True)
        squares = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        seen = [square.get_facecolor()[:3] == (1, 169 / 255, 14 / 255) for square in squares]
        assert seen == (gradient[0, 0] != 0).flatten().tolist()


def test_overlaps_are_a_transposed_convolution_of_ones(shown):
    _, figures = shown("what=convolution", "transposed=3:2,5:3")
    for axes, (kernel, stride) in zip(figures["transposed"].axes, [(3, 2), (5, 3)], strict=True):
        ones = torch.ones(1, 1, kernel, kernel)
        expected = F.conv_transpose2d(torch.ones(1, 1, 4, 4), ones, stride=stride)[0, 0]
        assert axes.get_images()[0].get_array().tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["size=3", "kernel=5"], "does not fit into 3 pixels"),
        (["size=100"], "size=100 is not allowed"),
        (["stride=0"], "stride=0 is not allowed"),
        (["input=1,2,3"], "input has 3 numbers, and 4 x 4 are 16"),
        (["transposed=3x2"], "transposed=3x2 is not allowed"),
        (["model=mlp"], "model=mlp is not for what=convolution"),
        (["strid=2"], "did you mean stride"),
    ],
)
def test_a_wrong_option_of_the_convolution_gets_one_message(options, named, refused):
    assert named in refused("what=convolution", *options)


def test_the_files_are_named_in_one_line(shown):
    text, _ = shown("what=convolution")
    (line,) = [line for line in text.splitlines() if ".png" in line]
    assert line.startswith("The plots windows.png, matrix.png and transposed.png are in outputs/")
