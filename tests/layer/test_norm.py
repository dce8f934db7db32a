"""Norms take vectors of any length, or raise an error."""

import pytest
import torch

from dlcourse.errors import UserError
from dlcourse.layer.norm import NORMS, norm_layer
from dlcourse.schema.bounds import NORM_NAMES


def test_the_checks_know_every_norm():
    assert NORM_NAMES == NORMS


@pytest.mark.parametrize("name", ["batch", "layer", "group"])
@pytest.mark.parametrize("channels", [1, 6, 10, 84])
def test_a_norm_takes_vectors_of_any_length(name, channels):
    assert norm_layer(name, channels, images=False)(torch.randn(4, channels)).shape == (
        4,
        channels,
    )


def test_norm_none_changes_nothing():
    x = torch.randn(2, 3)
    assert norm_layer("none", 3, images=False)(x) is x


def test_instance_norm_of_single_numbers_is_refused():
    with pytest.raises(UserError, match="norm=layer"):
        norm_layer("instance", 4, images=False)


def test_an_unknown_norm_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean batch"):
        norm_layer("bach", 4, images=True)
