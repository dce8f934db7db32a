"""The options of a sweep itself and not of its jobs: ``sweep``, ``seeds``, ``workers`` ..."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from omegaconf import DictConfig, OmegaConf

from dlcourse.errors import UserError
from dlcourse.schema.passwords import concealed
from dlcourse.schema.validate import SWEEP_KEYS, check_key, values


class OnError(NamedTuple):
    """What happens when a job fails.

    continues: whether the other jobs run. retries: how often the job is run again.
    """

    continues: bool
    retries: int


@dataclass(frozen=True)
class Settings:
    """The options of a sweep.

    job_timeout: how long a job may take, as typed, ``"30m"``; None for no limit.

    method: ``grid``, ``optuna`` ...; options: those of the method. identity: the options that must
    stay the same when the sweep is resumed; the number of points, workers and retries may change.
    """

    method: str
    options: dict[str, Any]
    seeds: int
    workers: int
    on_error: OnError
    job_timeout: str | float | None
    check: bool
    identity: tuple[str, ...]
    earlier_identity: tuple[str, ...]  # as in versions that did not mask the storage's password


def read_settings(master: DictConfig) -> Settings:
    """Read and check the sweep's options in a config; raises UserError."""
    part = OmegaConf.masked_copy(master, list(SWEEP_KEYS))
    node = cast(dict[str, Any], OmegaConf.to_container(part, resolve=True))
    chosen = node.get("sweep")
    if not isinstance(chosen, dict) or "_target_" not in chosen:
        raise UserError("sweep takes exactly one choice.\nType, for example, sweep=grid")
    for key, value in values(node):
        if key != "on_error" and "._" not in key:
            check_key(key, value)
    options = {key: value for key, value in node["sweep"].items() if not key.startswith("_")}
    method = node["sweep"]["_target_"].split(".")[-2]  # dlcourse.sweep.methods.<method>.<function>
    plain = {key: value for key, value in options.items() if key not in ("trials", "draws")}
    shared = {key: concealed(key, value) for key, value in plain.items()}
    return Settings(
        method=method,
        options=options,
        seeds=node["seeds"],
        workers=node["workers"],
        on_error=read_on_error(node["on_error"]),
        job_timeout=node["job_timeout"],
        check=node["check"],
        identity=tuple(map(str, [method, *sorted(shared.items()), node["seeds"]])),
        earlier_identity=tuple(map(str, [method, *sorted(plain.items()), node["seeds"]])),
    )


def read_on_error(text: object) -> OnError:
    """Read ``continue``, ``stop`` or ``retry:2``; raises UserError for anything else."""
    found = re.fullmatch(r"continue|stop|retry:([1-9]\d{0,2})", str(text))
    if not found:
        raise UserError(
            f"on_error={text} is not allowed: on_error takes continue, stop or retry:<times>.\n"
            "Type, for example, on_error=retry:2"
        )
    return OnError(continues=text != "stop", retries=int(found[1] or 0))
