"""The runs of a preview: one for each combination of the values that were typed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dlcourse.errors import UserError
from dlcourse.schema.command_line import grid_of_runs
from dlcourse.schema.compose import compose_with_choices, overrides_of_grid
from dlcourse.schema.overrides import key_of
from dlcourse.schema.validate import GROUPS


class Variant(NamedTuple):
    """One of several runs in a plot.

    label: the values in which it differs from the others, ``he_normal`` or ``optim.lr=0.1``; empty
    if it is the only one. choices: the choice of each group.
    """

    label: str
    config: dict
    choices: Mapping[str, str]


def variants_of(rest: Sequence[str], purpose: str, most: int) -> list[Variant]:
    """Return a run for each combination of overrides, of which each may have several values.

    purpose: what is drawn, as a message names it. Raises UserError for more than ``most`` runs.
    """
    overrides, config_dir = grid_of_runs(rest, purpose)
    points = overrides_of_grid(overrides)
    if len(points) > most:
        raise UserError(
            f"These are {len(points)} combinations, and {purpose} shows at most {most}.\n"
            "Type fewer values"
        )
    differing = {
        key_of(text) for number, text in enumerate(points[0])
        if any(point[number] != text for point in points)
    }  # fmt: skip
    return [
        Variant(variant_label(point, differing), *compose_with_choices(point, config_dir))
        for point in points
    ]


def variant_label(overrides: Sequence[str], differing: set[str]) -> str:
    """Return the overrides with a key of ``differing``; a choice of a group without its key."""
    named = [text for text in overrides if key_of(text) in differing]
    return ", ".join(text.partition("=")[2] if key_of(text) in GROUPS else text for text in named)
