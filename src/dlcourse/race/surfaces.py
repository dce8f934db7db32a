"""The surfaces: functions of two variables, with their minima and where a race on them starts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PlotWindow = tuple[float, float, float, float]
"""The part of the plane that is drawn: left, right, bottom, top."""


@dataclass(frozen=True)
class Surface:
    """A function f(x, y) to minimise.

    function: of two tensors of one shape, element by element.
    formula: as text, for the plots; empty if it is unknown.
    shows: what a race on it shows, in one sentence.
    minima: all points with the lowest value; empty if they are unknown.
    steps: of a race, by default.
    lowest: the value at the minima; None if it is unknown.
    """

    name: str
    function: Callable[[Any, Any], Any]
    formula: str
    shows: str
    window: PlotWindow
    start: tuple[float, float]
    minima: tuple[tuple[float, float], ...]
    steps: int
    lowest: float | None = 0.0


def ravine(x: Any, y: Any) -> Any:
    """Return (x^2 + 20 y^2) / 2, which is 20 times as curved along y as along x.

    Reference: the quadratic bowl of Polyak, "Some methods of speeding up the convergence of
    iteration methods", USSR Computational Mathematics and Mathematical Physics 4, 1964.
    """
    return (x**2 + 20 * y**2) / 2


def saddle(x: Any, y: Any) -> Any:
    """Return x^2 / 2 + (y^2 - 1)^2 / 4: two minima, and a saddle point at (0, 0) between them.

    Reference: Nesterov, "Introductory lectures on convex optimization", 2004, example 1.2.2, with
    1/4 added.
    """
    return x**2 / 2 + (y**2 - 1) ** 2 / 4


def rosenbrock(x: Any, y: Any) -> Any:
    """Return (1 - x)^2 + 100 (y - x^2)^2: a narrow, curved valley with a nearly flat floor.

    Reference: Rosenbrock, "An automatic method for finding the greatest or least value of a
    function", The Computer Journal 3, 1960.
    """
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def beale(x: Any, y: Any) -> Any:
    """Return Beale's function: a flat floor between steep walls.

    Reference: Beale, "On an iterative method for finding a local minimum of a function of more than
    one variable", Princeton University, 1958.
    """
    return (
        (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2
    )  # fmt: skip


def himmelblau(x: Any, y: Any) -> Any:
    """Return (x^2 + y - 11)^2 + (x + y^2 - 7)^2, which has four minima.

    Reference: Himmelblau, "Applied nonlinear programming", 1972.
    """
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


SURFACES = {
    surface.name: surface
    for surface in (
        Surface(
            "ravine",
            ravine,
            "f(x, y) = (x² + 20 y²) / 2",
            "One rate is too large across the valley and too small along it: plain descent zigzags",
            window=(-4.6, 1.6, -1.55, 1.55),
            start=(-4.0, 1.0),
            minima=((0.0, 0.0),),
            steps=100,
        ),
        Surface(
            "saddle",
            saddle,
            "f(x, y) = x² / 2 + (y² - 1)² / 4",
            "The gradient nearly vanishes at the saddle point (0, 0): plain descent is held up",
            window=(-2.4, 1.2, -1.5, 1.5),
            start=(-2.0, 0.00001),
            minima=((0.0, -1.0), (0.0, 1.0)),
            steps=100,
        ),
        Surface(
            "rosenbrock",
            rosenbrock,
            "f(x, y) = (1 - x)² + 100 (y - x²)²",
            "Steep walls limit the rate, and the way is along the nearly flat floor of the valley",
            window=(-1.8, 1.8, -0.8, 2.4),
            start=(-1.2, 1.0),
            minima=((1.0, 1.0),),
            steps=1000,
        ),
        Surface(
            "beale",
            beale,
            "f(x, y) = (1.5 - x + xy)² + (2.25 - x + xy²)² + (2.625 - x + xy³)²",
            "A flat floor between steep walls: rates that are safe on the walls are slow on it",
            window=(-0.6, 4.4, -2.1, 2.1),
            start=(1.0, 1.5),
            minima=((3.0, 0.5),),
            steps=300,
        ),
        Surface(
            "himmelblau",
            himmelblau,
            "f(x, y) = (x² + y - 11)² + (x + y² - 7)²",
            "Which of the four minima is found depends on the optimizer and its rate",
            window=(-5.5, 5.5, -5.5, 5.5),
            start=(0.0, -1.0),
            minima=(
                (3.0, 2.0),
                (-2.805118086952745, 3.131312518250573),
                (-3.779310253377747, -3.283185991286170),
                (3.584428340330492, -1.848126526964404),
            ),
            steps=100,
        ),
    )
}
"""The surfaces of dlcourse by name."""
