"""Who races: each optimizer of the command with its options, as the config of a run."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from dlcourse.errors import UserError, nearest
from dlcourse.race.rates import DEFAULTS, OPTIMIZER_ORDER, RATES
from dlcourse.schema.catalogue import files_of, read_choice
from dlcourse.schema.compose import compose_checked, options_of
from dlcourse.schema.packaged import CONFIGS
from dlcourse.schema.suggest import unknown_option

NOT_RACED = {
    "muon": "it orthogonalises matrices, and a position in the plane is not one",
    "closed_form": "it solves least squares of a linear model, and a surface is not one",
}
"""The optimizers that cannot race, each with the reason."""

GROUPS_OF_STEPS = ("schedule", "clip")
SHARED = ("optim", *GROUPS_OF_STEPS)
"""The groups whose options are for all optimizers of a race."""

MOST_PATHS = 16  # racers, whose paths can be told apart in one plot
FIXED = ("runtime=cpu", "runtime.precision=fp64", "runtime.threads=1", "batch_size=full")


@dataclass(frozen=True)
class Racer:
    """An optimizer with its options.

    varying: the options in which it differs from other racers of the same name, ``lr=0.1``.
    config: of a run with this optimizer.
    """

    name: str
    varying: str
    overrides: tuple[str, ...]
    config: dict

    @property
    def label(self) -> str:
        """Its name and what varies."""
        return f"{self.name} {self.varying}".rstrip()

    @property
    def rate(self) -> str:
        """Its learning rate before any schedule, as text; ``-`` if it has none."""
        rate = self.config["optim"].get("lr")
        return "-" if rate is None else f"{rate:g}"

    @property
    def label_with_rate(self) -> str:
        """Its label with its learning rate, as in the legend of a plot."""
        return self.label if "lr=" in self.varying else f"{self.label} lr={self.rate}"


def chosen_names(text: str, config_dir: str | None) -> list[str]:
    """Return the optimizers of ``optim=``, a list with commas or ``all``; raises UserError."""
    known = sorted(set(options_of("optim", config_dir)))
    if text == "all":
        return [*OPTIMIZER_ORDER, *sorted({*known} - {*options_of("optim", None)})]
    names = list(dict.fromkeys(text.strip("[]").replace(" ", "").split(",")))
    for name in names:
        if name not in known:
            raise UserError(unknown_option("optim", name, [*known, "all"], several=False))
        if name in NOT_RACED:
            raise UserError(
                f"optim={name} cannot race: {NOT_RACED[name]}.\nType optim=all for all that can"
            )
    return names


def read_overrides(typed: Sequence[str], names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """Return the options of the optimizers, ``("adam.lr", ["0.1", "0.2"])``, with their values.

    typed: ``optim.lr=0.1``, ``adam.lr=0.1,0.2``, ``schedule=cosine``. names: the optimizers of this
    race. Raises UserError for the options of anything else.
    """
    found = []
    for override in typed:
        key, _, value = override.partition("=")
        first, _, option = key.partition(".")
        if first not in (*SHARED, *names) or (first not in GROUPS_OF_STEPS and not option):
            raise UserError(
                f"{override} is not an option of this race; {nearest(first, [*SHARED, *names])}.\n"
                f"Type, for example, optim.lr=0.01 for all optimizers, or {names[0]}.lr=0.01"
            )
        found.append((key, re.split(r",(?![^\[]*\])", value)))
    return found


def make_racers(
    names: Sequence[str],
    options: Sequence[tuple[str, list[str]]],
    surface: str,
    steps: int,
    config_dir: str | None = None,
) -> list[Racer]:
    """Compose and check the config of each optimizer, once for every combination of values.

    options: of ``read_overrides``. An option of ``optim`` is for the optimizers that have it, and
    one of an optimizer's name is preferred to it. surface: whose rates are the default.

    Raises UserError for an option that no optimizer has, or a value out of bounds.
    """
    folders = [CONFIGS, *([Path(config_dir)] if config_dir else [])]
    files = files_of("optim", folders)
    keys = {name: set(read_choice(files[name]).options) for name in names}
    for key, _ in options:
        group, _, option = key.partition(".")
        if group == "optim" and not any(option in keys[name] for name in names):
            known = [f"optim.{one}" for one in sorted(set().union(*keys.values()))]
            raise UserError(f"No optimizer of this race has {key}; {nearest(key, known)}")
    entries = []
    for name in names:
        values = {f"optim.{key}": [value] for key, value in DEFAULTS.get(name, {}).items()}
        if name in RATES.get(surface, {}):
            values["optim.lr"] = [str(RATES[surface][name])]
        values |= {
            key: some
            for key, some in options
            if key.split(".")[0] in GROUPS_OF_STEPS or is_option(key, "optim", keys[name])
        }
        own = {key: some for key, some in options if key.split(".")[0] == name}
        values |= {f"optim.{key.partition('.')[2]}": some for key, some in own.items()}
        entries += [(name, *entry, own) for entry in combinations(values, folders)]
    if len(entries) > MOST_PATHS:
        raise UserError(
            f"This race has {len(entries)} paths, and a plot shows at most {MOST_PATHS}.\n"
            "Type fewer optimizers, or fewer values of an option"
        )
    return [
        Racer(name, varying, overrides, composed(name, overrides, [*own], steps, config_dir))
        for name, varying, overrides, own in entries
    ]


def is_option(key: str, group: str, options: Collection[str]) -> bool:
    """Return whether a dotted key is one of some options of a group."""
    first, _, option = key.partition(".")
    return first == group and option in options


def combinations(
    values: Mapping[str, list[str]], folders: list[Path]
) -> list[tuple[str, tuple[str, ...]]]:
    """Return every combination of values, as the text of what varies and as overrides.

    Of several schedules, only those that have an option get it, and so for clipping. Combinations
    that are then equal are returned once.
    """
    varied = [key for key, some in values.items() if len(some) > 1]
    found = {}
    for combination in product(*values.values()):
        chosen = dict(zip(values, combination, strict=True))
        for group in GROUPS_OF_STEPS:
            if group in varied:
                chosen = without_foreign(chosen, group, files_of(group, folders))
        overrides = tuple(f"{key}={value}" for key, value in chosen.items())
        parts = (f"{key.removeprefix('optim.')}={chosen[key]}" for key in varied if key in chosen)
        found[overrides] = " ".join(parts)
    return [(varying, overrides) for overrides, varying in found.items()]


def without_foreign(
    chosen: Mapping[str, str], group: str, files: Mapping[str, Path]
) -> dict[str, str]:
    """Return options without those of a group that its chosen one lacks; an unknown one keeps all.

    files: of the group's choices by name.
    """
    if chosen[group] not in files:
        return dict(chosen)
    known = read_choice(files[chosen[group]]).options
    return {
        key: value
        for key, value in chosen.items()
        if not key.startswith(f"{group}.") or is_option(key, group, known)
    }


def composed(
    name: str, overrides: Sequence[str], own: Sequence[str], steps: int, config_dir: str | None
) -> dict:
    """Return the checked config of a run with an optimizer.

    own: the options that were typed with its name, which a message shows in this form.
    """
    try:
        fixed = [*FIXED, f"max_epochs={steps}", f"optim={name}"]
        return compose_checked([*fixed, *overrides], config_dir)
    except UserError as error:
        text = str(error)
        if any(f"optim.{key.partition('.')[2]}" in text for key in own):
            text = text.replace("optim.", f"{name}.")
        raise UserError(text) from error
