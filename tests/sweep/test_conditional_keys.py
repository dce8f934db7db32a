"""Which keys belong to which options, and which keys a point leaves out."""

import pytest
from planning import conditional_keys_of, planned

from dlcourse.errors import UserError
from dlcourse.sweep.conditional_keys import distinct
from dlcourse.sweep.methods.grid import grid


def points(*overrides):
    """Return the points of a grid."""
    conditional = conditional_keys_of(*overrides)
    return distinct(grid(conditional.spaces), conditional)


def test_a_point_has_a_key_only_if_its_option_has_it():
    assert points("optim=sgd,adam", "optim.momentum=0.5,0.9") == [
        ("optim=sgd", "optim.momentum=0.5"),
        ("optim=sgd", "optim.momentum=0.9"),
        ("optim=adam",),
    ]


def test_a_key_that_all_options_have_is_part_of_every_point():
    assert len(points("optim=sgd,adam", "optim.lr=0.1,0.01")) == 4


def test_typed_duplicates_are_kept_and_points_that_differ_only_in_unused_keys_merge():
    assert points("optim.lr=0.1,0.2,0.1") == [
        ("optim.lr=0.1",), ("optim.lr=0.2",), ("optim.lr=0.1",),
    ]  # fmt: skip
    assert points("optim=sgd,adam,sgd", "optim.momentum=0.5,0.9") == [
        ("optim=sgd", "optim.momentum=0.5"),
        ("optim=sgd", "optim.momentum=0.9"),
        ("optim=adam",),
        ("optim=sgd", "optim.momentum=0.5"),
        ("optim=sgd", "optim.momentum=0.9"),
    ]


def test_a_space_of_one_option_replaces_the_common_space():
    expected = [
        ("optim=sgd", "optim.lr=1"),
        ("optim=sgd", "optim.lr=2"),
        ("optim=adam", "optim.lr=0.1"),
    ]
    assert points("optim=sgd,adam", "optim.lr=1,2", "optim.lr@adam=0.1") == expected
    assert points("optim=sgd,adam", "optim.lr@adam=0.1", "optim.lr=1,2") == expected
    assert points("optim=sgd,adam", "optim.lr@sgd=1,2", "optim.lr@adam=0.1") == expected


def test_a_space_may_belong_to_the_selected_option_of_a_group_that_is_not_swept():
    assert points("optim=sgd", "optim.lr@sgd=1,2") == [("optim.lr=1",), ("optim.lr=2",)]
    assert points("optim.lr@adam=1,2") == [("optim.lr=1",), ("optim.lr=2",)]  # the default
    with pytest.raises(UserError, match=r"optim\.lr belongs to no option of optim=sgd"):
        conditional_keys_of("optim=sgd", "optim.lr@sgd=1,2", "optim.lr=3,4")


def test_a_fixed_override_applies_only_to_options_that_have_its_key():
    assert points("optim=sgd,adam", "optim.momentum=0.5") == [
        ("optim=sgd", "optim.momentum=0.5"),
        ("optim=adam",),
    ]


def test_an_added_key_belongs_to_every_option():
    assert len(points("optim=sgd,adam", "+optim.speed=1,2")) == 4


def test_a_nested_key_belongs_to_the_options_that_have_its_parent():
    assert points("split=kfold,holdout", "split.folds=2,3") == [
        ("split=kfold", "split.folds=2"),
        ("split=kfold", "split.folds=3"),
        ("split=holdout",),
    ]
    assert points("augment=[crop],[]", "augment.crop.padding=1,2") == [
        ("augment=[crop]", "augment.crop.padding=1"),
        ("augment=[crop]", "augment.crop.padding=2"),
        ("augment=[]",),
    ]


UNUSED_KEYS = {
    "optim.rho=0.5,0.6": "optim.rho belongs to no option of optim=sgd,adam",
    "optim.lr@rmsprop=0.5,0.6": "optim.lr@rmsprop belongs to no option of optim=sgd,adam",
    "optim.rho=0.5": "optim.rho belongs to no option of optim=sgd,adam",
}


@pytest.mark.parametrize("override", UNUSED_KEYS)
def test_a_key_that_no_option_has_is_refused(override):
    with pytest.raises(UserError, match=UNUSED_KEYS[override]):
        conditional_keys_of("optim=sgd,adam", override)


def test_a_key_that_its_option_lacks_is_refused_by_name():
    with pytest.raises(UserError, match=r"optim\.momentum is not a key of this config"):
        planned("optim=sgd,adam", "optim.momentum@adam=0.5,0.6")
