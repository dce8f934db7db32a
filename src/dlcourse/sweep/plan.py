"""The plan of a sweep: all its jobs, composed and checked before the first one starts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

from omegaconf import DictConfig

from dlcourse.errors import UserError
from dlcourse.schema.compose import without_hydra
from dlcourse.schema.composer import Composer
from dlcourse.schema.overrides import key_of
from dlcourse.schema.trust import check_trust
from dlcourse.schema.validate import SWEEP_KEYS
from dlcourse.sweep.conditional_keys import ConditionalKeys, Overrides, distinct
from dlcourse.sweep.job import FolderNames, Job, make_jobs
from dlcourse.sweep.manifest import identity_of
from dlcourse.sweep.methods.grid import grid
from dlcourse.sweep.methods.one_at_a_time import one_at_a_time
from dlcourse.sweep.methods.random import random_points
from dlcourse.sweep.methods.zip import zip_lists
from dlcourse.sweep.search_space import Space
from dlcourse.sweep.settings import Settings, read_settings

LISTS = {"grid": grid, "zip": zip_lists, "one_at_a_time": one_at_a_time}
MAX_LISTED = 10  # problems in one message, and points of each problem
MAX_POINTS = 100_000  # combinations of lists in one command
MAX_CORNERS = 64  # combinations of options that are checked before a search starts


@dataclass(frozen=True)
class Plan:
    """The points and jobs of a command.

    composer: composes the jobs, with the overrides that are the same in every one.
    points, jobs: all points with their jobs; for a search the corners of its space, which are
    checked and not run.
    read_back: whether the overrides were read from a sweep's folder, so that they may only call
    trusted code.
    """

    settings: Settings
    composer: Composer
    spaces: list[Space]
    conditional: ConditionalKeys
    names: FolderNames
    config: dict
    config_dir: str | None
    points: list[Overrides]
    jobs: list[list[Job]]
    read_back: bool

    @property
    def is_search(self) -> bool:
        """Whether points are chosen by the results of earlier ones."""
        return self.settings.method == "optuna"

    @property
    def keys(self) -> list[str]:
        """The keys that vary, each once."""
        varying = [space.key.lstrip("+") for space in self.spaces if space.varies]
        return list(dict.fromkeys(varying))

    @property
    def identity(self) -> str:
        """The hash that identifies this sweep."""
        spaces = [space.identity for space in self.spaces]
        return identity_of(self.config, [*spaces, *self.settings.identity])

    @property
    def earlier_identity(self) -> str:
        """The hash that versions gave this sweep that did not take secrets out of it."""
        spaces = [space.identity for space in self.spaces]
        return identity_of(self.config, [*spaces, *self.settings.earlier_identity], secrets=True)

    def jobs_of(self, point: Overrides) -> list[Job]:
        """Return a point's jobs, composed and checked; raises UserError."""
        jobs = make_jobs(point, self.composer, self.settings.seeds, self.names)
        if self.read_back:
            check_trust(jobs[0].config)
        return jobs


def make_plan(
    master: DictConfig, fixed: Sequence[str], spaces: Sequence[Space], config_dir: str | None
) -> Plan:
    """Compose and check all jobs; raises UserError that names every point that cannot be run."""
    settings = read_settings(master)
    if settings.seeds > 1 and any(space.key == "seed" and space.varies for space in spaces):
        raise UserError(
            f"seeds={settings.seeds} repeats every point over seeds, and seed is swept as well.\n"
            "Leave one of them out"
        )
    conditional = ConditionalKeys(spaces, fixed, config_dir)
    names = FolderNames([space.key for space in spaces] + ["seed", "split.fold"])
    fixed = [override for override in fixed if not is_sweep_option(override)]
    points = points_of(settings, spaces, conditional)
    bare = Plan(
        settings=settings,
        composer=Composer(fixed, config_dir),
        spaces=list(spaces),
        conditional=conditional,
        names=names,
        config=without_hydra(master),
        config_dir=config_dir,
        points=points,
        jobs=[],
        read_back=master.resume is not None,
    )
    return replace(bare, jobs=all_jobs(bare))


def is_sweep_option(override: str) -> bool:
    """Return whether an override is an option of the sweep itself, ``workers=2``."""
    return key_of(override).split(".")[0] in (*SWEEP_KEYS, "resume")


def points_of(
    settings: Settings, spaces: Sequence[Space], conditional: ConditionalKeys
) -> list[Overrides]:
    """Return all points of the method; for a search the corners of its space."""
    if settings.method in LISTS:
        drawn = LISTS[settings.method](spaces)
        points = distinct(refuse_too_many_points(drawn), conditional)
    elif settings.method == "random":
        points = [conditional.point(values) for values in random_points(spaces, **settings.options)]
    else:
        points = list(dict.fromkeys(map(conditional.point, corners(spaces))))
    return points


def refuse_too_many_points(drawn: Iterable[tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    """Yield the combinations; raises UserError after ``MAX_POINTS`` of them."""
    for number, values in enumerate(drawn):
        if number == MAX_POINTS:
            raise UserError(
                f"These lists have more than {MAX_POINTS:,} combinations.\n"
                "Type shorter lists, sweep=one_at_a_time or sweep=random"
            )
        yield values


def corners(spaces: Sequence[Space]) -> Iterable[tuple[str, ...]]:
    """Yield combinations that together contain every value and both ends of every interval.

    After these come the combinations of all groups' options, ``MAX_CORNERS`` of them at most, each
    with the first and with the last values of the other keys.
    """
    values = [space.values or (space.at(0), space.at(1)) for space in spaces]
    longest = max(map(len, values), default=1)
    for number in range(longest):
        yield tuple(some[number % len(some)] for some in values)
    options = [space.values if "." not in space.key else () for space in spaces]
    for number, chosen in enumerate(product(*(some or ("",) for some in options))):
        if number == MAX_CORNERS:
            return
        for end in (0, -1):
            yield tuple(one or some[end] for one, some in zip(chosen, values, strict=True))


def all_jobs(plan: Plan) -> list[list[Job]]:
    """Return the jobs of all points; raises UserError that names every point that cannot be run."""
    jobs: dict[Overrides, list[Job]] = {}
    problems: dict[str, list[str]] = {}
    for point in plan.points:
        if point not in jobs:
            try:
                jobs[point] = plan.jobs_of(point)
            except UserError as error:
                problems.setdefault(str(error), []).append(" ".join(point) or "defaults")
                jobs[point] = []
    refuse(problems, len(plan.points))
    return [jobs[point] for point in plan.points]


def refuse(problems: dict[str, list[str]], total: int) -> None:
    """Raise UserError that names every problem and its points, if there are any."""
    if not problems:
        return
    lines = []
    for problem, labels in list(problems.items())[:MAX_LISTED]:
        more = f" and {len(labels) - MAX_LISTED} more" if len(labels) > MAX_LISTED else ""
        lines.append(f"{problem}\nin {'; '.join(labels[:MAX_LISTED])}{more}")
    if len(problems) > MAX_LISTED:
        lines.append(f"... and {len(problems) - MAX_LISTED} other problems")
    wrong = sum(map(len, problems.values()))
    counted = f"{wrong} of {total} points cannot be run" if total > 1 else "It cannot be run"
    raise UserError("\n".join([*lines, f"{counted}; nothing was started"]))
