"""Race optimizers on a surface of two variables: their paths, losses and an animation.

    dlcourse race
    dlcourse race optim=sgd,momentum,nesterov surface=ravine
    dlcourse race optim=all surface=rosenbrock steps=2000 start=-1.5,2
    dlcourse race optim=sgd lr=0.02,0.09,0.11
    dlcourse race optim=sgd,adam adam.lr=0.5 schedule=cosine noise=2

  optim    names with commas, or all
  surface  ravine, saddle, rosenbrock, beale, himmelblau, or your own: <module>.<function>
  start    x,y
  steps    of each optimizer
  lr       one learning rate for all; else each has one that suits it on this surface
  noise    standard deviation of random noise on the gradient, drawn with seed=0; gd and lbfgs,
           which take all data in one step, have none
  reach    0.001: how far above the lowest value an optimizer has arrived
  window   the part that is drawn: left,right,bottom,top

Options of the optimizers: optim.momentum=0.5 for all that have it, adam.lr=0.1 for one; schedule=
and clip= with their options as in a run, where a step counts as an epoch. Several values with
commas make a path each.

Prints who arrives after how many steps, and writes paths and loss (PNG and SVG), race.gif and
race.json into a new folder below outputs/race/.
"""

from collections.abc import Sequence
from textwrap import wrap

from dlcourse.cli import check_config_dir
from dlcourse.race.arguments import Race, read_race
from dlcourse.race.outcome import PathOutcome, ranked, same_paths
from dlcourse.race.racers import NOT_RACED
from dlcourse.race.rates import RATES
from dlcourse.race.table import race_table
from dlcourse.terminal.live_line import columns, working


def main(args: list[str]) -> None:
    """Run the race, print the table and write the files."""
    args, config_dir = without_config_dir(args)
    race = read_race(args, __doc__, config_dir)
    with working("importing PyTorch", plain=False):
        from dlcourse.drawing.text import fonts_for
        from dlcourse.race.write_race import run_race, title_of, write_race
    with working("racing", len(race.racers), plain=False) as advance:
        race, outcomes = run_race(race, lambda: advance(1))
    order = ranked(outcomes)
    width = columns()
    print("\n".join(wrap(title_of(race), width)))
    table = race_table(order, width)
    print("\n".join(table))
    for note in [legend(race.reach, table[0]), *notes(race, order, args)]:
        print("\n".join(wrap(note, width, break_long_words=False, break_on_hyphens=False)))
    with working("drawing", plain=False), fonts_for([race.surface.formula]):
        folder = write_race(race, outcomes)
    print(f"The plots and race.gif are in {folder}")


def without_config_dir(args: Sequence[str]) -> tuple[list[str], str | None]:
    """Return the arguments without ``--config-dir``, and its folder; None without it."""
    rest, folder = [], None
    pending = list(args)
    while pending:
        arg = pending.pop(0)
        flag, equals, value = arg.partition("=")
        if flag not in ("--config-dir", "-cd"):
            rest.append(arg)
            continue
        folder = value if equals else pending.pop(0) if pending else ""
        check_config_dir(folder)
    return rest, folder


def legend(reach: float, heading: str) -> str:
    """Return what the columns of the table are. heading: its first line."""
    parts = [f"steps: until the loss is less than {reach:g} above the lowest"]
    parts += ["gradients: computed until then"] * ("gradients" in heading)
    return "; ".join([*parts, "distance: of the end from the nearest minimum."])


def notes(race: Race, outcomes: list[PathOutcome], args: list[str]) -> list[str]:
    """Return what the table leaves open, a sentence each."""
    found = [
        f"{one.racer.label} diverged after step {len(one.excess) - 1:,}: its path is cut off at "
        "the edge of the plot and marked with a cross."
        for one in outcomes
        if one.trajectory.diverged
    ]
    if not race.surface.minima:
        found.append(
            "The window contains no minimum; the loss is above the lowest value of the window and "
            "the paths."
        )
    found += [f"{one} takes the same path as {other}." for one, other in same_paths(outcomes)]
    if any(one.racer.name == "lbfgs" for one in outcomes):
        found.append("A step of lbfgs is several iterations, with a gradient each or more.")
    if "optim=all" in args:
        found += [f"{name} is left out: {reason}." for name, reason in NOT_RACED.items()]
    if not any(".lr=" in arg or arg.startswith("lr=") for arg in args):
        chosen = RATES.get(race.surface.name, {})
        others = list(dict.fromkeys(o.racer.name for o in outcomes if o.racer.name not in chosen))
        source = "chosen for this surface" if chosen else "the defaults of the configs"
        rest = f", of {', '.join(others)} the defaults of the configs" if chosen and others else ""
        found.append(f"The rates are {source}{rest}; lr=0.01 sets one for all.")
    return found
