"""Whether the values that a sweep compares can be compared."""

from collections import defaultdict

from dlcourse.errors import UserError
from dlcourse.schema.comparable import (
    SMOOTHING,
    data_of,
    differing,
    flat,
    loss_of,
    other_monitor,
    overrides_text,
)
from dlcourse.sweep.job import Job
from dlcourse.sweep.plan import Plan

COMPARED = ("data", "loss", "augment")
"""The groups that decide whether values can be compared, next to ``monitor`` and ``mode``."""


def different_jobs(plan: Plan) -> list[Job]:
    """Return the first job of every point, without those that share all compared parts of it."""
    found: dict[tuple, Job] = {}
    for jobs in plan.jobs:
        for job in jobs[:1]:
            parts = [id(job.config[group]) for group in COMPARED]
            found.setdefault((job.config["monitor"], job.config["mode"], *parts), job)
    return list(found.values())


def refuse_incomparable(plan: Plan) -> None:
    """Raise UserError if a sweep would compare values of different losses on the same data.

    A search compares all its points, so they must have the same monitor and the same data.
    """
    losses: dict[tuple, dict[tuple, Job]] = defaultdict(dict)
    for job in different_jobs(plan):
        values = flat(job.config)
        basis = values["monitor"], values["mode"], data_of(values)
        losses[basis].setdefault(loss_of(values), job)
    for (monitor, *_), found in losses.items():
        if len(found) > 1:
            refuse_losses(monitor, found)
    if plan.is_search and len(losses) > 1:
        refuse_search(list(losses))


def refuse_losses(monitor: str, found: dict[tuple, Job]) -> None:
    """Raise UserError that names two losses, the jobs that have them, and another monitor."""
    keys = differing(list(found))
    named = [f"{overrides_text(loss, keys)} (in {job.label})" for loss, job in found.items()]
    reason = "they have no common scale"
    if keys == [SMOOTHING]:
        reason = "a loss measured without label smoothing favours training without it"
    raise UserError(
        f"monitor={monitor} cannot compare {named[0]} with {named[1]}: {reason}.\n"
        f"Type {other_monitor(next(iter(found.values())).config)}; nothing was started"
    )


def refuse_search(bases: list[tuple]) -> None:
    """Raise UserError that names the monitors or data in which a search's points differ.

    bases: different (monitor, mode, data) of the points, at least two.
    """
    (monitor, _, data), (other, _, others), *_ = bases
    if monitor == other:
        keys = differing([data, others])
        first, second = (overrides_text(part, keys) for part in (data, others))
        what = f"values on different data: {first} and {second}"
    else:
        what = f"values of {monitor} and of {other}"
    raise UserError(
        f"sweep=optuna looks for the best value, and cannot compare {what}.\n"
        "Type sweep=grid, or only one of them; nothing was started"
    )


def all_comparable(plan: Plan) -> bool:
    """Return whether the values of any two points can be compared."""
    values = [flat(job.config) for job in different_jobs(plan)]
    return len({(one["monitor"], data_of(one), loss_of(one)) for one in values}) <= 1
