"""Every norm has mean 0 and variance 1 over what it averages."""

import pytest
import torch

from dlcourse.bounds import NORMS as WORDS
from dlcourse.error import UserError
from dlcourse.layer.norm import NORMS, norm_layer

OVER = {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3)}


def test_the_checks_know_every_norm():
    assert WORDS == NORMS


@pytest.mark.parametrize("name", OVER)
def test_a_norm_standardises_what_it_averages(name):
    x = torch.randn(8, 16, 5, 5) * 3 + 2
    y = norm_layer(name, 16, pictures=True)(x)
    torch.testing.assert_close(
        y.mean(OVER[name]), torch.zeros_like(y.mean(OVER[name])), atol=1e-5, rtol=0
    )
    variance = y.var(OVER[name], correction=0)
    torch.testing.assert_close(variance, torch.ones_like(variance), atol=1e-3, rtol=0)


def test_group_norm_averages_over_groups_of_channels():
    y = norm_layer("group", 16, pictures=True)(torch.randn(4, 16, 5, 5) + 7)
    groups = y.view(4, 8, 2, 5, 5)
    torch.testing.assert_close(groups.mean((2, 3, 4)), torch.zeros(4, 8), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["batch", "layer", "group"])
@pytest.mark.parametrize("channels", [1, 6, 10, 84])
def test_a_norm_takes_vectors_of_any_width(name, channels):
    assert norm_layer(name, channels, pictures=False)(torch.randn(4, channels)).shape == (
        4,
        channels,
    )


def test_none_changes_nothing():
    x = torch.randn(2, 3)
    assert norm_layer("none", 3, pictures=False)(x) is x


def test_instance_norm_of_single_numbers_is_refused():
    with pytest.raises(UserError, match="norm=layer"):
        norm_layer("instance", 4, pictures=False)


def test_an_unknown_norm_is_refused_with_the_nearest():
    with pytest.raises(UserError, match="did you mean batch"):
        norm_layer("bach", 4, pictures=True)
