"""Receptive fields: the arithmetic, and networks with published values."""

import pytest

from dlcourse.introspect.receptive_field import INPUT, ReceptiveField, Window, receptive_field

CONV, POOL = Window(3, 1, 1), Window(2, 2)
ALEXNET = [Window(11, 4, 2), Window(3, 2), Window(5, 1, 2), Window(3, 2), *[CONV] * 3, Window(3, 2)]
VGG16 = [*[CONV] * 2, POOL, *[CONV] * 2, POOL, *[*[CONV] * 3, POOL] * 3]
RESNET18 = [
    Window(7, 2, 3), Window(3, 2, 1), *[CONV] * 4, *[Window(3, 2, 1), *[CONV] * 3] * 3
]  # fmt: skip


@pytest.mark.parametrize(
    ("chain", "size", "jump"),
    [(ALEXNET, 195, 32), (VGG16, 212, 32), (RESNET18, 435, 32)],
    ids=["alexnet", "vgg16", "resnet18"],
)
def test_receptive_fields_are_those_of_araujo_norris_and_sim(chain, size, jump):
    field = receptive_field(chain)
    assert (field.size, field.jump) == (size, jump)


def test_without_layers_the_field_is_one_pixel():
    assert receptive_field([]) == INPUT == ReceptiveField(1, 1, 0)


def test_three_3x3_layers_have_the_field_of_one_7x7_layer():
    assert receptive_field([Window(3)] * 3) == receptive_field([Window(7)])


def test_dilation_widens_and_padding_moves_the_field():
    assert receptive_field([Window(3, dilation=4)]) == ReceptiveField(9, 1, 0)
    assert receptive_field([CONV, CONV]) == ReceptiveField(5, 1, -2)


def test_the_field_of_two_paths_is_the_union_of_their_fields():
    short = INPUT.through(Window(1, 2))
    long = INPUT.through(Window(3, 2, 1)).through(CONV)
    assert long.union(short) == short.union(long) == ReceptiveField(7, 2, -3)
    assert ReceptiveField(3, 1, 0).union(ReceptiveField(3, 1, 2)) == ReceptiveField(5, 1, 0)


def test_paths_with_different_strides_have_no_common_field():
    assert INPUT.union(INPUT.through(POOL)) is None
