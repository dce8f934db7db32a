"""The surfaces: their gradients, their minima, and a user's own."""

import pytest
import torch

from dlcourse.errors import UserError
from dlcourse.introspect.gradient_check import analytic_gradients, numeric_gradients
from dlcourse.race.grid import check_function, grid_of, with_minimum
from dlcourse.race.own_surface import load_surface
from dlcourse.race.rates import OPTIMIZER_ORDER, RATES
from dlcourse.race.surfaces import SURFACES, Surface

EACH = pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)


def gradient(surface: Surface, x: float, y: float) -> torch.Tensor:
    position = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(surface.function(position[0], position[1]), position)[0]


@EACH
def test_the_gradient_is_the_numeric_one(surface):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 7, dtype=torch.float64, generator=generator)
    exact = analytic_gradients(surface.function, [x, y])
    numeric = numeric_gradients(surface.function, [x, y])
    for one, other in zip(exact, numeric, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)


@EACH
def test_the_minima_are_minima_with_the_lowest_value_and_inside_the_window(surface):
    left, right, bottom, top = surface.window
    _, _, values = grid_of(surface)
    assert values.min() >= surface.lowest
    for x, y in surface.minima:
        assert abs(surface.function(x, y) - surface.lowest) < 1e-20
        assert gradient(surface, x, y).abs().max() < 1e-10
        position = torch.tensor([x, y], dtype=torch.float64)
        curvature = torch.autograd.functional.hessian(
            lambda p: surface.function(p[0], p[1]), position
        )
        assert torch.linalg.eigvalsh(curvature).min() > 0.1
        assert left < x < right
        assert bottom < y < top
    assert left < surface.start[0] < right
    assert bottom < surface.start[1] < top


def test_the_saddle_has_a_point_without_gradient_that_is_no_minimum():
    saddle = SURFACES["saddle"]
    assert gradient(saddle, 0.0, 0.0).abs().max() == 0
    assert saddle.function(0.0, 0.1) < saddle.function(0.0, 0.0) < saddle.function(0.1, 0.0)


def test_every_surface_has_a_rate_for_every_optimizer_that_races():
    assert all(rates.keys() == set(OPTIMIZER_ORDER) for rates in RATES.values())
    assert RATES.keys() == SURFACES.keys()


OWN = """
import torch

def waves(x, y):
    "Waves in a bowl."
    return torch.sin(3 * x) + x**2 + y**2

def bowl(x, y):
    return (x - 1)**2 + 3 * y**2

bowl.window = (-3, 3, -1, 1)
bowl.start = (-2, 0.5)
bowl.minima = [(1, 0)]

def slope(x, y):
    return x + y

def number(x, y):
    return 1.0

def single(x, y):
    return (x + y).sum()

def scalar(x, y):
    import math
    return math.sin(x) + y

def constant(x, y):
    return torch.ones_like(x)

def root(x, y):
    return torch.sqrt(x) + y

def wrong(x, y):
    return x

wrong.window = (3, -3, 0, 1)
lost = 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Return a function that loads a surface of a user's own module."""
    (tmp_path / "own_race_surfaces.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    return lambda name: load_surface(f"own_race_surfaces.{name}")


def test_an_own_surface_may_name_its_window_its_start_and_its_minima(own):
    surface = with_minimum(own("bowl"))
    assert (surface.window, surface.start) == ((-3, 3, -1, 1), (-2, 0.5))
    assert (surface.minima, surface.lowest) == (((1, 0),), 0)


def test_the_minimum_of_an_own_surface_is_found(own):
    surface = with_minimum(own("waves"))
    assert surface.formula == "Waves in a bowl."
    ((x, y),) = surface.minima
    assert gradient(surface, x, y).abs().max() < 1e-5
    assert surface.lowest == pytest.approx(grid_of(surface)[2].min(), abs=1e-3)


def test_a_slope_has_no_minimum_and_its_lowest_value_is_at_the_edge(own):
    surface = with_minimum(own("slope"))
    assert (surface.minima, surface.lowest) == ((), -4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("bowel", "has no bowel; did you mean bowl"),
        ("lost", "a surface is a function of x, y"),
        ("wrong", "its window is"),
    ],
)
def test_an_own_surface_that_cannot_be_loaded_is_refused(own, name, message):
    with pytest.raises(UserError, match=message):
        own(name)


def test_a_module_that_does_not_exist_is_refused():
    with pytest.raises(UserError, match="there is no module no_such_module"):
        load_surface("no_such_module.bowl")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("number", "returns float for x, y of shape"),
        ("single", r"returns \(\) for x, y of shape"),
        ("scalar", "fails for tensors x, y"),
        ("constant", "has no gradient"),
        ("root", "is nan at the start"),
    ],
)
def test_an_own_function_that_is_no_surface_is_refused(own, name, message):
    surface = own(name)
    with pytest.raises(UserError, match=message):
        check_function(surface, surface.start)
