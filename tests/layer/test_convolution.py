"""Convolution arithmetic: sizes, and the matrix that equals a convolution."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from dlcourse.errors import UserError
from dlcourse.layer.convolution import (
    filter_images,
    output_size,
    overlap_counts,
    toeplitz,
    transposed_convolution,
    transposed_output_size,
)
from dlcourse.layer.kernels import KERNELS

SMALL = {"stride": st.integers(1, 4), "padding": st.integers(0, 3), "dilation": st.integers(1, 3)}


@given(size=st.integers(15, 40), kernel=st.integers(1, 5), **SMALL)
def test_a_transposed_convolution_has_the_input_size_of_the_convolution(size, kernel, **how):
    small = output_size(size, kernel, **how)
    extra = (size + 2 * how["padding"] - how["dilation"] * (kernel - 1) - 1) % how["stride"]
    assert transposed_output_size(small, kernel, **how, extra=extra) == size


@pytest.mark.parametrize(
    ("size", "how", "known"),
    [
        (32, {"kernel": 5}, 28),  # LeNet-5
        (224, {"kernel": 11, "stride": 4, "padding": 2}, 55),  # AlexNet
        (224, {"kernel": 7, "stride": 2, "padding": 3}, 112),  # ResNet's stem
        (7, {"kernel": 3, "dilation": 2}, 3),
        (6, {"kernel": 3, "stride": 2, "padding": 1}, 3),
    ],
)
def test_output_sizes_are_those_of_the_papers(size, how, known):
    assert output_size(size, **how) == known


def test_a_kernel_larger_than_its_input_is_refused_with_the_padding_to_choose():
    with pytest.raises(UserError, match="padding of 2"):
        output_size(2, 5)
    assert output_size(2, 5, padding=2) == 2


def test_the_matrix_of_a_convolution_is_that_of_the_worked_example():
    maps = torch.tensor([[4.0, 5, 8, 7], [1, 8, 8, 8], [3, 6, 6, 4], [6, 5, 7, 8]])
    matrix = toeplitz(torch.tensor([[1.0, 4, 1], [1, 4, 3], [3, 3, 1]]), (4, 4))
    assert matrix.tolist() == [
        [1, 4, 1, 0, 1, 4, 3, 0, 3, 3, 1, 0, 0, 0, 0, 0],
        [0, 1, 4, 1, 0, 1, 4, 3, 0, 3, 3, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 4, 1, 0, 1, 4, 3, 0, 3, 3, 1, 0],
        [0, 0, 0, 0, 0, 1, 4, 1, 0, 1, 4, 3, 0, 3, 3, 1],
    ]
    assert (matrix @ maps.flatten()).tolist() == [122, 148, 126, 134]


def test_the_transposed_matrix_is_the_gradient_and_not_the_inverse():
    maps = torch.randn(5, 6, requires_grad=True)
    kernel, small = torch.randn(3, 3), torch.randn(3, 4)
    F.conv2d(maps[None, None], kernel[None, None]).backward(small[None, None])
    torch.testing.assert_close(transposed_convolution(small, kernel), maps.grad)
    back = transposed_convolution(F.conv2d(maps[None, None], kernel[None, None])[0, 0], kernel)
    assert back.shape == maps.shape
    assert not torch.allclose(back, maps, atol=0.1)


@pytest.mark.parametrize(("kernel", "even"), [(2, True), (3, False), (4, True), (5, False)])
def test_a_transposed_convolution_has_a_checkerboard_unless_the_stride_divides_the_kernel(
    kernel, even
):
    counts = overlap_counts(kernel, 2, 8)
    middle = counts[kernel:-kernel, kernel:-kernel]
    assert (len(middle.unique()) == 1) is even
    assert counts.sum() == 8 * 8 * kernel * kernel  # every write is counted once


def test_the_overlap_counts_of_kernel_3_at_stride_2_are_right():
    side = torch.tensor([1, 1, 2, 1, 2, 1, 1])
    assert torch.equal(overlap_counts(3, 2, 3), side[:, None] * side)


@pytest.mark.parametrize(
    ("name", "total"), [("sharpen", 1), ("emboss", 1), ("blur", 1), ("edge", 0)]
)
def test_every_kernel_maps_a_constant_image_to_a_constant_up_to_the_border(name, total):
    assert KERNELS[name].shape == (3, 3)
    images = torch.full((2, 3, 6, 5), 7.0)
    torch.testing.assert_close(filter_images(images, KERNELS[name]), images * total)


def test_every_channel_is_filtered_separately():
    images = torch.rand(2, 3, 6, 5)
    outputs = filter_images(images, KERNELS["emboss"])
    for channel in range(3):
        alone = filter_images(images[:, [channel]], KERNELS["emboss"])
        torch.testing.assert_close(outputs[:, [channel]], alone)


def test_the_edge_kernel_responds_only_where_the_image_changes():
    images = torch.zeros(1, 1, 5, 8)
    images[..., 4:] = 1
    columns = filter_images(images, KERNELS["edge"])[0, 0]
    assert columns.tolist() == [[0, 0, 0, 1, -1, 0, 0, 0]] * 5
