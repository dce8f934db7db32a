"""The values of a surface on a grid, and its minimum if it is not known."""

import math
from dataclasses import replace

import numpy as np
import torch

from dlcourse.errors import UserError
from dlcourse.race.surfaces import Surface

POINTS = 241  # along each side of the window


def grid_of(surface: Surface) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return x (POINTS,), y (POINTS,) and the values (POINTS, POINTS), a row for each y."""
    left, right, bottom, top = surface.window
    x = torch.linspace(left, right, POINTS, dtype=torch.float64)
    y = torch.linspace(bottom, top, POINTS, dtype=torch.float64)
    columns, rows = torch.meshgrid(x, y, indexing="xy")
    with torch.no_grad():
        values = surface.function(columns, rows)
    return x.numpy(), y.numpy(), values.numpy()


def check_function(surface: Surface, start: tuple[float, float]) -> None:
    """Raise UserError unless a user's function gives one finite, differentiable value per point."""
    x, y = (torch.full((2, 3), one, dtype=torch.float64, requires_grad=True) for one in start)
    try:
        values = surface.function(x, y)
    except (TypeError, RuntimeError, ValueError) as error:
        raise UserError(
            f"surface={surface.name} fails for tensors x, y of one shape: {error}.\n"
            "Write it with + - * / ** and functions of torch, such as torch.sin(x)"
        ) from error
    if not isinstance(values, torch.Tensor) or values.shape != x.shape:
        got = tuple(values.shape) if isinstance(values, torch.Tensor) else type(values).__name__
        raise UserError(
            f"surface={surface.name} returns {got} for x, y of shape {tuple(x.shape)}.\n"
            "Return one value for each point, computed from x and y element by element"
        )
    if not values.requires_grad:
        raise UserError(
            f"surface={surface.name} has no gradient: its value does not depend on x and y.\n"
            "Write it with + - * / ** and functions of torch, such as torch.sin(x)"
        )
    value = float(values.detach()[0, 0])
    if not math.isfinite(value):
        raise UserError(
            f"surface={surface.name} is {value} at the start "
            f"{start[0]:g},{start[1]:g}.\nType another start=x,y"
        )


def with_minimum(surface: Surface) -> Surface:
    """Return a surface with its lowest value, and with its minimum if the window contains one.

    A surface that declares its minima gets the value at the first of them. Else the lowest point of
    the grid is improved by L-BFGS. If that leaves the window, there is no minimum, and the lowest
    value is that of the grid.
    """
    if surface.lowest is not None:
        return surface
    if surface.minima:
        x, y = (torch.tensor([one], dtype=torch.float64) for one in surface.minima[0])
        return replace(surface, lowest=float(surface.function(x, y).detach()))
    x, y, values = grid_of(surface)
    finite = np.where(np.isfinite(values), values, np.inf)
    row, column = np.unravel_index(int(finite.argmin()), finite.shape)
    point = torch.tensor([x[column], y[row]], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([point], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        value = surface.function(point[:1], point[1:]).sum()
        value.backward()
        return float(value.detach())

    optimizer.step(closure)
    a, b = point.tolist()
    left, right, bottom, top = surface.window
    if left < a < right and bottom < b < top:
        value = float(surface.function(point[:1], point[1:]).detach())
        return replace(surface, minima=((a, b),), lowest=value)
    return replace(surface, lowest=float(finite[row, column]))
