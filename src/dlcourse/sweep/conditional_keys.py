"""Which keys belong to which options: ``optim=sgd`` has a momentum, ``optim=adam`` has none."""

from collections.abc import Iterable, Sequence
from functools import cached_property

from dlcourse.errors import UserError
from dlcourse.schema.compose import compose_job, without_hydra
from dlcourse.schema.overrides import all_keys
from dlcourse.schema.validate import GROUPS
from dlcourse.sweep.search_space import Space

Overrides = tuple[str, ...]
"""The overrides that distinguish a job from others: ``("optim=sgd", "optim.lr=0.1")``."""


class ConditionalKeys:
    """Removes from every point the keys that its options do not have.

    With ``optim=sgd,adam optim.momentum=0,0.9`` the values ``("sgd", "0.9")`` become the point
    ``("optim=sgd", "optim.momentum=0.9")`` and ``("adam", "0.9")`` becomes ``("optim=adam",)``,
    because Adam has no momentum.

    fixed: the overrides that are the same in every job.
    Raises UserError for a key that belongs to no option at all.
    """

    def __init__(
        self, spaces: Sequence[Space], fixed: Sequence[str], config_dir: str | None
    ) -> None:
        self.spaces, self.fixed, self.config_dir = spaces, fixed, config_dir
        self.choices = {space.key: space.values for space in spaces if space.key in GROUPS}
        self.attached = {(space.key, space.owner) for space in spaces if space.owner}
        split = {key for key, _ in self.attached}
        self.dependent = [
            space
            for space in spaces
            if space.key in split or ("." in space.key and space.group in self.choices)
        ]
        for space in self.dependent:
            options = self.options_of(space.group)
            if not any(self.belongs(space, option) for option in options):
                raise UserError(
                    f"{space.name} belongs to no option of {space.group}={','.join(options)}.\n"
                    "Print the keys of an option with --cfg job, or remove this one"
                )

    def point(self, values: Iterable[str]) -> Overrides:
        """Return the overrides of a point, given one value for every space."""
        drawn = dict(zip(self.spaces, values, strict=True))
        chosen = {space.key: value for space, value in drawn.items() if space.key in GROUPS}
        return tuple(
            f"{space.key}={value}" for space, value in drawn.items() if self.is_given(space, chosen)
        )

    def is_given(self, space: Space, chosen: dict[str, str]) -> bool:
        """Return whether a space is part of a point.

        chosen: the option of every swept group in this point, ``{"optim": "sgd"}``.
        """
        if space not in self.dependent:
            return True
        return self.belongs(space, chosen.get(space.group, self.default.get(space.group, "")))

    def belongs(self, space: Space, option: str) -> bool:
        """Return whether a space applies to an option of its group.

        The option must have the key, and no other space of its own for it (``optim.lr@sgd``).
        """
        if space.owner:
            return option == space.owner
        if (space.key, option) in self.attached:
            return False
        return space.key.startswith("+") or space.key in self.keys[space.group][option]

    def options_of(self, group: str) -> Sequence[str]:
        """Return the options of a group in the command: the swept ones, or the fixed one."""
        return self.choices.get(group) or [self.default.get(group, "")]

    @cached_property
    def default(self) -> dict[str, str]:
        """The option of every group that the fixed overrides choose."""
        return dict(compose_job([*self.fixed], self.config_dir).hydra.runtime.choices)

    @cached_property
    def keys(self) -> dict[str, dict[str, set[str]]]:
        """The keys of every option: ``{"optim": {"sgd": {"optim.lr", ...}, ...}, ...}``."""
        return {
            group: {
                option: self.keys_with(f"{group}={option}") for option in self.options_of(group)
            }
            for group in {space.group for space in self.dependent}
        }

    def keys_with(self, choice: str) -> set[str]:
        """Return the keys of the config with one choice, ``optim=sgd``."""
        return set(all_keys(without_hydra(compose_job([*self.fixed, choice], self.config_dir))))


def distinct(drawn: Iterable[tuple[str, ...]], conditional: ConditionalKeys) -> list[Overrides]:
    """Return the points of a method over lists, without duplicates that removed keys leave.

    Combinations that differ only in keys that their options do not have become one point. A
    combination that was typed twice stays twice.
    """
    first: dict[Overrides, tuple[str, ...]] = {}
    points = []
    for values in drawn:
        point = conditional.point(values)
        if first.setdefault(point, values) == values:
            points.append(point)
    return points
