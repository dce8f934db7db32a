"""Every activation and its derivative, with where it saturates."""

import re

import numpy as np
import pytest

from dlcourse.preview.activation import FORMULAS, curve_of, intervals
from dlcourse.schema.bounds import ACTIVATION_NAMES


def test_every_activation_of_one_variable_has_a_formula_and_a_panel(shown):
    assert {*FORMULAS, "maxout"} == set(ACTIVATION_NAMES)
    text, figures = shown("what=activation")
    titles = [axes.get_title().split("\n")[0] for axes in figures["activation"].axes]
    assert [title for title in titles if title] == list(FORMULAS)
    assert all(name in text for name in FORMULAS)


@pytest.mark.parametrize("name", [name for name in FORMULAS if name not in ("heaviside", "sign")])
def test_the_derivative_is_the_slope_of_the_function(name):
    curve = curve_of(name, -3.0, 3.0)
    middle = (curve.values[2:] - curve.values[:-2]) / (curve.places[2:] - curve.places[:-2])
    smooth = np.abs(np.diff(curve.slopes, 2)) < 1e-2
    np.testing.assert_allclose(middle[smooth], curve.slopes[1:-1][smooth], atol=2e-3)
    assert smooth.mean() > 0.99


@pytest.mark.parametrize("name", ["heaviside", "sign"])
def test_the_slope_of_a_step_is_0_and_the_straight_through_gradient_is_separate(name, shown):
    curve = curve_of(name, -3.0, 3.0)
    inside = np.abs(curve.places) < 1
    assert curve.surrogate is not None
    assert (curve.surrogate[inside] == 1).all()
    assert (curve.surrogate[np.abs(curve.places) > 1] == 0).all()
    assert set(curve.slopes[~np.isnan(curve.slopes)]) == {0.0}
    text, figures = shown("what=activation", f"activation={name},relu")
    row = next(line for line in text.splitlines() if name in line)
    assert re.search(r"│ +0 │ +- │ everywhere", row)
    assert f"{name}: the derivative is 0 wherever it exists" in text
    step, relu, *_ = figures["activation"].axes
    assert len(step.lines) == len(relu.lines) + 1
    (legend,) = figures["activation"].legends
    assert "gradient used in training instead of f'(x)" in [one.get_text() for one in legend.texts]


def test_the_steepest_slope_and_the_saturation_are_printed(shown):
    text, figures = shown("what=activation", "activation=sigmoid,leaky_relu:0.2", "low=-8")
    row = next(line for line in text.splitlines() if "sigmoid" in line)
    assert re.search(r"0\.25 │ +0 │ x < -4\.58, x > 4\.58", row)
    assert len([axes for axes in figures["activation"].axes if axes.lines]) == 2
    assert "nowhere" in next(line for line in text.splitlines() if "leaky_relu:0.2" in line)


def test_intervals_are_named_and_short_ones_left_out():
    places = np.linspace(-10, 10, 2001)
    assert intervals(places, places > 3) == "x > 3.01"
    assert intervals(places, np.abs(places) < 1) == "-0.99 to 0.99"
    assert intervals(places, np.abs(places) < 0.1) == "nowhere"
    assert intervals(places, places < 99) == "everywhere"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["activation=maxout"], "not a function of one number"),
        (["activation=rely"], "did you mean relu"),
        (["activation=elu:1:2"], "elu takes alpha"),
        (["low=3", "high=1"], "low=3 is not below high=1"),
        (["model=mlp"], "model=mlp is not for what=activation"),
    ],
)
def test_a_wrong_activation_gets_one_message(options, named, refused):
    assert named in refused("what=activation", *options)
