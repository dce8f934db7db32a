"""Read the options of a race from its command, before PyTorch is imported."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dlcourse.errors import UserError, meant, nearest
from dlcourse.race.own_surface import is_window, load_surface
from dlcourse.race.racers import Racer, chosen_names, make_racers, read_overrides
from dlcourse.race.surfaces import SURFACES, Surface
from dlcourse.schema.arguments import arguments, number_argument, whole_number_argument
from dlcourse.schema.bounds import SEED, positive, whole_number
from dlcourse.schema.compose import options_of
from dlcourse.schema.kinds import Number
from dlcourse.terminal.command import own_name

OPTIONS = {
    "optim": "sgd,momentum,nesterov,adagrad,rmsprop,adam",
    "surface": "ravine",
    "start": "",
    "steps": "",
    "lr": "",
    "noise": "0",
    "seed": "0",
    "reach": "0.001",
    "window": "",
}
"""The options of the command with their defaults; empty: the surface decides."""

LARGEST_NUMBER = 1e6  # coordinate
MOST_STEPS = 10_000
WINDOW_MARGIN = 0.06  # of the width or height, between a start and the edge of the window


@dataclass(frozen=True)
class Race:
    """Everything that a race is made from.

    noise: the standard deviation of the noise on each component of the gradient; 0 for none.
    reach: a racer has arrived when the value is less than this above the lowest one.
    """

    surface: Surface
    racers: list[Racer]
    start: tuple[float, float]
    steps: int
    noise: float
    seed: int
    reach: float


def read_race(args: Sequence[str], usage: str | None, config_dir: str | None = None) -> Race:
    """Return the race that a command describes; raises UserError for the first mistake."""
    refuse_bare_names(args, config_dir)
    own = [arg for arg in args if not is_override(arg)]
    options = arguments(own, OPTIONS, usage)
    numbers = {
        "noise": number_argument(options, "noise", Number(0, 1e6, 0.5)),
        "reach": number_argument(options, "reach", positive(0.001, 1e6)),
    }
    seed = whole_number_argument(options, "seed", SEED)
    names = chosen_names(options["optim"], config_dir)
    typed = [arg for arg in args if is_override(arg)]
    if options["lr"]:
        typed.insert(0, f"optim.lr={options['lr']}")
    overrides = read_overrides(typed, names)
    surface = surface_of(options["surface"])
    if options["window"]:
        surface = replace(surface, window=window_of(options["window"]))
    start = (
        pair_typed("start", options["start"], surface.start) if options["start"] else surface.start
    )
    surface = replace(surface, window=widened(surface.window, start))
    options["steps"] = options["steps"] or str(surface.steps)
    steps = whole_number_argument(options, "steps", whole_number(1, MOST_STEPS, surface.steps))
    racers = make_racers(names, overrides, surface.name, steps, config_dir)
    return Race(surface, racers, start, steps, seed=seed, **numbers)


def refuse_bare_names(args: Sequence[str], config_dir: str | None) -> None:
    """Raise UserError for surfaces and optimizers that were typed without their key."""
    bare = [arg for arg in args if "=" not in arg]
    surfaces = [arg for arg in bare if arg in SURFACES]
    names = [
        one for arg in bare for one in arg.split(",") if one in options_of("optim", config_dir)
    ]
    if surfaces or names:
        typed = [
            *([f"surface={surfaces[0]}"] if surfaces else []),
            *([f"optim={','.join(names)}"] if names else []),
            *(arg for arg in args if "=" in arg),
        ]
        what = "a surface" if surfaces else "an optimizer"
        again = " ".join([own_name("race"), *map(shlex.quote, typed)])
        raise UserError(
            f"{(surfaces or names)[0]} is {what}, and options are typed key=value.\nType {again}"
        )


def is_override(arg: str) -> bool:
    """Return whether an argument is an option of optimizers, ``adam.lr=0.1``, or a schedule."""
    key = arg.partition("=")[0]
    return "=" in arg and ("." in key or key in ("schedule", "clip"))


def surface_of(name: str) -> Surface:
    """Return a surface by its name, or the user's own by ``module.function``."""
    if name in SURFACES:
        return SURFACES[name]
    if "." in name.strip("."):
        return load_surface(name)
    guess = meant(name, SURFACES) or ["<one of them>"]
    raise UserError(
        f"surface={name} is not there; {nearest(name, SURFACES)}.\n"
        f"Type surface={guess[0]}, or surface=<module>.<function> for your own"
    )


def numbers_typed(key: str, text: str, count: int, example: str) -> tuple[float, ...]:
    """Return the numbers of a text with commas; raises UserError unless ``count`` are finite."""
    try:
        numbers = tuple(map(float, text.strip("[]()").split(",")))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(
        abs(one) <= LARGEST_NUMBER for one in numbers
    ):  # NaN is not
        raise UserError(
            f"{key}={text} is not allowed: {key} takes {count} numbers with commas, each at most "
            f"{LARGEST_NUMBER:,.0f} in size.\nType, for example, {key}={example}"
        )
    return numbers


def pair_typed(key: str, text: str, example: tuple[float, float]) -> tuple[float, float]:
    """Return the two numbers of ``x,y``; raises UserError for any other text."""
    x, y = numbers_typed(key, text, 2, f"{example[0]:g},{example[1]:g}")
    return x, y


def window_of(text: str) -> tuple[float, float, float, float]:
    """Return the window of ``left,right,bottom,top``; raises UserError for any other text."""
    left, right, bottom, top = numbers = numbers_typed("window", text, 4, "-2,2,-1,3")
    if not is_window(numbers):
        raise UserError(
            f"window={text} is not allowed: left must be less than right, bottom less than top.\n"
            "Type window=<left>,<right>,<bottom>,<top>, for example window=-2,2,-1,3"
        )
    return left, right, bottom, top


def widened(
    window: tuple[float, float, float, float], start: tuple[float, float]
) -> tuple[float, float, float, float]:
    """Return a window that contains the start as well, with a margin."""
    left, right, bottom, top = window
    x, y = start
    if left <= x <= right and bottom <= y <= top:
        return window
    wide, high = (max(right, x) - min(left, x)), (max(top, y) - min(bottom, y))
    return (
        min(left, x - WINDOW_MARGIN * wide), max(right, x + WINDOW_MARGIN * wide),
        min(bottom, y - WINDOW_MARGIN * high), max(top, y + WINDOW_MARGIN * high),
    )  # fmt: skip
