"""Which keys belong to which options, and what a point leaves out."""

import pytest
from planning import conditional_keys_of, planned

from dlcourse.errors import UserError
from dlcourse.sweep.conditional_keys import distinct
from dlcourse.sweep.methods.grid import grid


def points(*words):
    """Return the points of a grid."""
    conditional = conditional_keys_of(*words)
    return distinct(grid(conditional.spaces), conditional)


def test_a_key_is_part_of_a_point_only_with_an_option_that_has_it():
    assert points("optim=sgd,adam", "optim.momentum=0.5,0.9") == [
        ("optim=sgd", "optim.momentum=0.5"),
        ("optim=sgd", "optim.momentum=0.9"),
        ("optim=adam",),
    ]


def test_a_key_that_all_options_have_is_part_of_every_point():
    assert len(points("optim=sgd,adam", "optim.lr=0.1,0.01")) == 4


def test_points_as_they_were_typed_stay_and_those_that_leave_keys_out_are_one():
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


def test_a_space_with_an_owner_takes_the_place_of_the_common_one():
    expected = [
        ("optim=sgd", "optim.lr=1"),
        ("optim=sgd", "optim.lr=2"),
        ("optim=adam", "optim.lr=0.1"),
    ]
    assert points("optim=sgd,adam", "optim.lr=1,2", "optim.lr@adam=0.1") == expected
    assert points("optim=sgd,adam", "optim.lr@adam=0.1", "optim.lr=1,2") == expected
    assert points("optim=sgd,adam", "optim.lr@sgd=1,2", "optim.lr@adam=0.1") == expected


def test_an_owner_may_be_the_one_option_that_is_not_swept():
    assert points("optim=sgd", "optim.lr@sgd=1,2") == [("optim.lr=1",), ("optim.lr=2",)]
    assert points("optim.lr@adam=1,2") == [("optim.lr=1",), ("optim.lr=2",)]  # the default
    with pytest.raises(UserError, match=r"optim\.lr belongs to no option of optim=sgd"):
        conditional_keys_of("optim=sgd", "optim.lr@sgd=1,2", "optim.lr=3,4")


def test_a_fixed_word_counts_only_for_the_options_that_have_its_key():
    assert points("optim=sgd,adam", "optim.momentum=0.5") == [
        ("optim=sgd", "optim.momentum=0.5"),
        ("optim=adam",),
    ]


def test_a_key_that_is_added_belongs_to_every_option():
    assert len(points("optim=sgd,adam", "+optim.speed=1,2")) == 4


def test_a_key_below_another_belongs_where_that_one_is():
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


NOBODYS = {
    "optim.rho=0.5,0.6": "optim.rho belongs to no option of optim=sgd,adam",
    "optim.lr@rmsprop=0.5,0.6": "optim.lr@rmsprop belongs to no option of optim=sgd,adam",
    "optim.rho=0.5": "optim.rho belongs to no option of optim=sgd,adam",
}


@pytest.mark.parametrize("word", NOBODYS)
def test_a_key_of_no_option_is_refused(word):
    with pytest.raises(UserError, match=NOBODYS[word]):
        conditional_keys_of("optim=sgd,adam", word)


def test_a_key_that_its_owner_lacks_is_refused_with_the_key_named():
    with pytest.raises(UserError, match=r"optim\.momentum is not a key of this config"):
        planned("optim=sgd,adam", "optim.momentum@adam=0.5,0.6")
