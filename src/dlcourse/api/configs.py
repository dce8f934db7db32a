"""Configs from Python: the choices of a group, and the config of a run."""

from os import PathLike, fspath
from typing import Any

from dlcourse.api.isolation import isolated
from dlcourse.api.overrides import overrides_of
from dlcourse.errors import UserError, nearest
from dlcourse.schema.compose import compose_checked, options_of
from dlcourse.schema.validate import GROUPS


def compose(
    *overrides: str, config_dir: str | PathLike[str] | None = None, **settings: Any
) -> dict[str, Any]:
    """Return the config that ``dlcourse.train`` with the same arguments would use, checked.

    Arguments: as for ``dlcourse.train``. Imports no PyTorch and makes no folder.
    Raises UserError if there can be no run with these arguments.

    >>> dlcourse.compose("optim=sgd", optim={"lr": 0.05})["optim"]["lr"]
    0.05
    """
    own = None if config_dir is None else fspath(config_dir)
    with isolated():
        return compose_checked(overrides_of(overrides, settings, own), own)


def choices(group: str, *, config_dir: str | PathLike[str] | None = None) -> list[str]:
    """Return the choices of a group, in alphabetical order.

    group: ``"model"``, ``"optim"``, ``"data"`` ... Raises UserError if there is no such group.

    >>> dlcourse.choices("clip")
    ['agc', 'none', 'norm', 'value']
    """
    if group not in GROUPS:
        raise UserError(f"{group} is not a group; {nearest(group, GROUPS)}")
    return sorted(options_of(group, None if config_dir is None else fspath(config_dir)))
