"""Run a race and write its plots, its animation and its numbers into a new folder."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from dlcourse import atomic_files
from dlcourse.race.arguments import Race
from dlcourse.race.grid import check_function, grid_of, with_minimum
from dlcourse.race.outcome import PathOutcome, outcome
from dlcourse.race.trajectory import follow, gradient_noise
from dlcourse.runs.run_folder import claim


def run_race(race: Race, advance: Callable[[], object] = int) -> tuple[Race, list[PathOutcome]]:
    """Run all racers; return the race, its surface with its minimum, and their outcomes.

    advance: called after each racer. Raises UserError for a user's surface that cannot be used.
    """
    check_function(race.surface, race.start)
    surface = with_minimum(race.surface)
    noise = gradient_noise(race.noise, race.steps, race.seed) if race.noise else None
    paths = []
    for racer in race.racers:
        way = (race.start, race.steps, surface.window, noise)
        paths.append(follow(racer.config, surface.function, *way))
        advance()
    lowest = surface.lowest
    assert lowest is not None
    if not surface.minima:
        lowest = min(lowest, *(min(path.values) for path in paths))
    surface = replace(surface, lowest=lowest)
    outcomes = [
        outcome(racer, path, surface, lowest, race.reach)
        for racer, path in zip(race.racers, paths, strict=True)
    ]
    return replace(race, surface=surface), outcomes


def write_race(race: Race, outcomes: list[PathOutcome]) -> Path:
    """Write all files of a race into a new folder below ``outputs/race``; return the folder."""
    from dlcourse.drawing.files import save_figure, save_gif
    from dlcourse.race.animation import GIF_SECONDS, frames
    from dlcourse.race.plots import draw_paths, draw_race_losses

    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    folder = claim(Path("outputs/race") / f"{now}-{race.surface.name}"[:200])
    surface, lowest = race.surface, race.surface.lowest
    assert lowest is not None
    grid, title = grid_of(surface), title_of(race)
    save_figure(draw_paths(surface, grid, lowest, outcomes, title), folder / "paths")
    save_figure(draw_race_losses(outcomes, race.reach, title), folder / "loss")
    moving = frames(surface, grid, lowest, outcomes, race.reach, surface.name)
    save_gif(moving, folder / "race.gif", GIF_SECONDS)
    atomic_files.write_json(folder / "race.json", as_json(race, outcomes))
    return folder


def title_of(race: Race) -> str:
    """Return the title of the plots."""
    x, y = race.start
    noise = f", gradient noise {race.noise:g}" if race.noise else ""
    paths = "1 path" if len(race.racers) == 1 else f"{len(race.racers)} paths"
    return f"{race.surface.name}: {paths}, {race.steps:,} steps from ({x:g}, {y:g}){noise}"


def as_json(race: Race, outcomes: Iterable[PathOutcome]) -> dict:
    """Return the numbers of a race as values that JSON can hold."""
    surface = race.surface
    return {
        "surface": surface.name,
        "formula": surface.formula,
        "minima": [list(minimum) for minimum in surface.minima],
        "lowest": surface.lowest,
        "window": list(surface.window),
        "start": list(race.start),
        "steps": race.steps,
        "noise": race.noise,
        "seed": race.seed,
        "reach": race.reach,
        "racers": [
            {
                "label": one.racer.label,
                "optim": one.racer.name,
                "overrides": list(one.racer.overrides),
                "rate": one.racer.config["optim"].get("lr"),
                "state": one.state,
                "steps_to_reach": one.arrived,
                "gradients": one.gradients,
                "final_loss": one.excess[-1],
                "distance": one.distance,
                "path": [list(position) for position in one.trajectory.positions],
                "losses": one.excess,
            }
            for one in outcomes
        ],
    }
