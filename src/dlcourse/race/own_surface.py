"""A surface of the user's own: a function in a module of the current folder."""

import inspect
import math
from importlib import import_module
from typing import Any

from dlcourse.errors import UserError, nearest
from dlcourse.race.surfaces import Surface

STEPS = 200


def load_surface(name: str) -> Surface:
    """Import ``module.function``; its attributes ``window``, ``start`` and ``minima`` are optional.

    Raises UserError if there is no such function, and for attributes of another form.
    """
    module, _, attribute = name.rpartition(".")
    try:
        function = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise
        raise UserError(
            f"surface={name}: there is no module {error.name}.\n"
            "Type surface=<module>.<function>; the module is looked for in the current folder"
        ) from error
    except AttributeError as error:
        functions = [one for one, value in vars(import_module(module)).items() if callable(value)]
        raise UserError(f"{module} has no {attribute}; {nearest(attribute, functions)}") from error
    if not callable(function):
        raise UserError(f"surface={name} is {function!r:.40}, and a surface is a function of x, y")
    minima = getattr(function, "minima", [])
    if not isinstance(minima, list | tuple):
        raise wrong_attribute(name, "minima", minima, "[(0, 0)]")
    return Surface(
        name=name,
        function=function,
        formula=(inspect.getdoc(function) or "").partition("\n")[0],
        shows="",
        window=attribute_numbers(function, name, "window", 4, (-2.0, 2.0, -2.0, 2.0)),
        start=attribute_numbers(function, name, "start", 2, (-1.5, 1.0)),
        minima=tuple(surface_numbers(name, "minima", one, 2) for one in minima),
        steps=STEPS,
        lowest=None,
    )


def attribute_numbers(
    function: Any, name: str, attribute: str, count: int, default: tuple[float, ...]
) -> Any:
    """Return an attribute of a surface, a tuple of numbers; ``default`` if it is missing."""
    return surface_numbers(name, attribute, getattr(function, attribute, default), count)


def surface_numbers(name: str, attribute: str, value: Any, count: int) -> Any:
    """Return a value as a tuple of ``count`` finite numbers; raises UserError for any other."""
    examples = {"window": "(-2, 2, -1, 3)", "start": "(-1, 2)", "minima": "[(0, 0)]"}
    try:
        numbers = tuple(map(float, value))
    except (TypeError, ValueError) as error:
        raise wrong_attribute(name, attribute, value, examples[attribute]) from error
    wide = attribute != "window" or (count == len(numbers) and is_window(numbers))
    if len(numbers) != count or not all(map(math.isfinite, numbers)) or not wide:
        raise wrong_attribute(name, attribute, value, examples[attribute])
    return numbers


def is_window(numbers: tuple[float, ...]) -> bool:
    """Return whether four numbers are left < right, bottom < top."""
    left, right, bottom, top = numbers
    return left < right and bottom < top


def wrong_attribute(name: str, attribute: str, value: Any, example: str) -> UserError:
    """Return the error about an attribute of the user's function."""
    what = "numbers x, y" if attribute != "window" else "left < right, bottom < top"
    function = name.rpartition(".")[2]
    return UserError(
        f"surface={name}: its {attribute} is {value!r:.60}, and must hold finite {what}.\n"
        f"Type, for example, {function}.{attribute} = {example}"
    )
