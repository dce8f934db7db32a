"""The bounds that a user's own YAML declares are read from their text and checked."""

import pytest

from dlcourse.errors import UserError
from dlcourse.schema.own_bounds import FORMS, declared_bounds, read_bounds

FOCAL = {"_target_": "my.focal", "gamma": 2.0, "size": "small"}


@pytest.mark.parametrize(
    ("text", "allowed", "refused"),
    [
        ("number >= 0", [0, 0.5, 1e9], [-0.1, None, "a", True, float("nan"), float("inf")]),
        ("number > 0 and <= 1", [1e-9, 1], [0, 1.01]),
        ("number > 0, < 1", [0.5], [0, 1]),
        ("number < -1.5e1", [-16], [-15]),
        ("whole number >= 1 or null", [1, 7, None], [0, 1.5]),
        ("number or auto", [-3, "auto"], ["other"]),
        ("list of numbers > 0", [[], [1, 0.5]], [[0], 1, ["a"]]),
        ("list of whole numbers", [[-1, 2]], [[0.5]]),
        ("one of small, large", ["small", "large"], ["smal", 3]),
        ("true or false", [True, False], [1, "true"]),
        ("text", ["a"], ["", None, 3]),
        ("text or null", ["a", None], [""]),
    ],
)
def test_bounds_allow_the_values_that_their_text_describes(text, allowed, refused):
    kind = read_bounds(text)
    assert kind is not None
    assert all(kind.allows(value) for value in allowed)
    assert not any(kind.allows(value) for value in refused)


@pytest.mark.parametrize("text", FORMS)
def test_every_example_in_the_message_can_be_read(text):
    assert read_bounds(text) is not None


@pytest.mark.parametrize(
    "text",
    ["", "positive", "number >=", "number > 2 and < 1", "whole number > 0 and < 1"],
)
def test_other_texts_and_empty_ranges_are_not_bounds(text):
    assert read_bounds(text) is None


@pytest.mark.parametrize("limits", ["> 0 and < 0.5", "< 0", "<= -2", ">= 3", "> 2", ""])
@pytest.mark.parametrize("whole", ["", "whole "])
def test_the_suggested_number_is_within_the_limits(limits, whole):
    kind = read_bounds(f"{whole}number {limits}")
    if kind is None:
        assert (whole, limits) == ("whole ", "> 0 and < 0.5")
    else:
        assert kind.allows(kind.example)


def test_each_declared_key_is_read_with_its_value_and_its_bounds():
    found = declared_bounds("loss", FOCAL | {"_bounds_": {"gamma": "number >= 0"}})
    assert found == {"loss.gamma": (2.0, read_bounds("number >= 0"))}
    assert declared_bounds("loss", FOCAL) == {}


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ("number", r"loss\._bounds_=number is not allowed: bounds have a key each\.\nType .*<key>"),
        ({"gama": "number"}, r"gama in loss\._bounds_ is not a key .* did you mean gamma\?"),
        ({"gamma": "positive"}, r"gamma: positive, which is not understood\.\nType .* number >= 0"),
        ({"gamma": 3}, r"gamma: 3, which is not understood"),
    ],
)
def test_a_mistake_in_the_bounds_gets_one_message(bounds, message):
    with pytest.raises(UserError, match=message):
        declared_bounds("loss", FOCAL | {"_bounds_": bounds})
