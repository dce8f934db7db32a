"""The config and the overrides that a run was started with, in its folder."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from dlcourse import atomic_files
from dlcourse.errors import UserError
from dlcourse.runs.migrate import migrated
from dlcourse.runs.yaml_blocks import load_yaml
from dlcourse.schema.from_environment import (
    environment_digests,
    refuse_other_references,
    resolved,
    storable,
)
from dlcourse.schema.overrides import (
    END_KEYS,
    FROM_ENVIRONMENT,
    check_overrides,
    is_among,
    is_free,
    key_of,
    leaves,
    nodes,
)
from dlcourse.schema.packaged import LOADER
from dlcourse.schema.passwords import MASK, concealed_override, without_password
from dlcourse.schema.run_files import CONFIG, ENVIRONMENT, HYDRA, OVERRIDES
from dlcourse.schema.stored_shape import misfit
from dlcourse.schema.untrusted import count_values, read_text
from dlcourse.terminal.refused import why_refused

HYDRA_SHAPE = {
    "hydra?": {"runtime?": {"choices?": {str: (str, None)}, "config_sources?": [{str: object}]}}
}


def record(folder: Path, config: dict, overrides: list[str], hydra: str) -> bool:
    """Store the config and overrides of a new run; compare a resumed run with the stored config.

    config: plain, without interpolations. hydra: Hydra's own config as YAML.
    Returns whether a resumed run has another end than before. Raises UserError if the stored config
    differs in more than that.
    """
    if (folder / CONFIG).exists():
        refuse_differences(folder, config, END_KEYS)
        return end_moved(folder, config)
    kept = [concealed_override(override) for override in overrides]
    atomic_files.write_text(folder / OVERRIDES, yaml.safe_dump(kept, allow_unicode=True))
    atomic_files.write_text(folder / HYDRA, storable_hydra(hydra))
    values = environment_digests(config)
    if values["digests"]:
        atomic_files.write_json(folder / ENVIRONMENT, values, indent=1)
    write_config(folder, config)
    return False


def storable_hydra(text: str) -> str:
    """Return Hydra's part of a config, as YAML, without what may hold passwords.

    These are addresses, variables that are set for a job, and the options of a launcher, which can
    be shell commands.
    """
    text = without_password(text)
    if "hydra.launcher" not in text and "env_set" not in text.replace("env_set: {}", ""):
        return text
    content = yaml.safe_load(text)
    own = content["hydra"]
    target = own["launcher"].get("_target_")
    own["launcher"] = {"_target_": target} if target else {}
    own["job"]["env_set"] = dict.fromkeys(own["job"].get("env_set") or {}, MASK)
    own["overrides"]["hydra"] = [
        override for override in own["overrides"]["hydra"]
        if not re.search(r"hydra\.(launcher|job\.env_set)", override)
    ]  # fmt: skip
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def write_config(folder: Path, config: dict) -> None:
    """Write the config that a run is resumed with."""
    config = storable(config) | {"resume": None, "trust": []}
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    try:
        count_values(yaml.parse(text, LOADER))
    except ValueError as error:
        raise UserError(f"The config of this run cannot be stored: {error}") from error
    atomic_files.write_text(folder / CONFIG, text)


def replace_config(folder: Path, config: dict, typed: list[str]) -> None:
    """Change the end of a run in its stored config and overrides.

    typed: this command's overrides; those of ``END_KEYS`` replace the stored ones. The overrides
    are written before the config, so that after a crash in between the config has the earlier end.
    """
    moved = [concealed_override(text) for text in typed if is_among(key_of(text), END_KEYS)]
    kept = without(stored_overrides(folder), moved)
    atomic_files.write_text(folder / OVERRIDES, yaml.safe_dump([*kept, *moved], allow_unicode=True))
    chosen = {key_of(text): text.partition("=")[2] for text in moved if key_of(text) == "stop"}
    hydra = read_hydra(folder / HYDRA)
    if chosen and "hydra" in hydra:
        hydra["hydra"].setdefault("runtime", {}).setdefault("choices", {}).update(chosen)
        atomic_files.write_text(folder / HYDRA, yaml.safe_dump(hydra, sort_keys=False))
    stored = stored_config(folder)
    now = storable(config)
    write_config(folder, stored | {key: now[key] for key in END_KEYS})


def without(overrides: list[str], moved: list[str]) -> list[str]:
    """Return the overrides without those that ``moved`` replaces: its keys and their options."""
    keys = {key_of(override) for override in moved}
    return [
        text for text in overrides
        if key_of(text) not in keys and key_of(text).split(".")[0] not in keys
    ]  # fmt: skip


def end_moved(folder: Path, config: dict) -> bool:
    """Return whether a config has another end than the run's stored one."""
    stored = stored_config(folder)
    now = as_stored(config, stored)
    return any(stored.get(key) != now.get(key) for key in END_KEYS)


def stored_config(folder: Path) -> dict:
    """Return the config that a run was started with; nothing in it is imported or called here.

    A config of an older dlcourse is completed with the keys that came later. It has references to
    environment variables, ``${oc.env:X}``, and addresses without their passwords, as stored; see
    ``usable_config``.

    Raises UserError if there is none or it cannot be read.
    """
    path = folder / CONFIG
    if not path.exists():
        raise UserError(
            f"{folder} is not a run's folder: {CONFIG} is not in it.\n"
            "Type resume=<folder>, a folder that a run has made, such as outputs/<date>/<run>"
        )
    config = read_yaml(path)
    if not isinstance(config, dict) or not names_alone(config):
        raise UserError(f"{path} is not a config that dlcourse has written")
    refuse_other_references(config, path)
    return migrated(config)


def names_alone(config: dict) -> bool:
    """Return whether all keys of a nested config are texts."""
    return all(isinstance(key, str) for _, node in nodes(config) for key in node)


def usable_config(folder: Path) -> dict:
    """Return the stored config of a run with the values of its environment variables.

    Raises UserError for a variable that is not set, and for one with another value than when the
    run was started, if that changes the result.
    """
    return with_environment(stored_config(folder), folder)


def with_environment(stored: dict, folder: Path) -> dict:
    """Return a stored config of a run, perhaps changed since, as ``usable_config`` does."""
    config = resolved(stored)
    if FROM_ENVIRONMENT not in config or not (folder / ENVIRONMENT).exists():
        return config
    known = read_digests(folder / ENVIRONMENT)
    now = environment_digests(config, known["salt"])["digests"]
    for key, text in config[FROM_ENVIRONMENT].items():
        if key in known["digests"] and known["digests"][key] != now.get(key):
            raise UserError(
                f"{key}={text}: the environment has another value than when {folder} was started, "
                "and the result depends on it.\nSet the variable as it was, or start a new run"
            )
    return config


def read_digests(path: Path) -> dict:
    """Return the content of ``.hydra/environment.json``; raises UserError for a damaged file."""
    try:
        content = json.loads(read_text(path))
        bytes.fromhex(content["salt"])
        dict(content["digests"])
        return content
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} cannot be read: {error}.\nDelete it if the environment is the same as then"
        ) from error


def stored_overrides(folder: Path) -> list[str]:
    """Return the overrides that the run was started with, ``["model=mlp", "optim.lr=0.1"]``.

    Empty if the file is lost: the config has all values. They may come from anybody: raises
    UserError for anything that dlcourse would not store.
    """
    path = folder / OVERRIDES
    return check_overrides(read_yaml(path) or [], path) if path.exists() else []


def stored_choices(folder: Path) -> dict[str, str]:
    """Return the choice in each group, ``{"model": "lenet", "optim": "adam", ...}``."""
    path = folder / HYDRA
    if not path.exists():
        return {}
    choices = read_hydra(path).get("hydra", {}).get("runtime", {}).get("choices", {})
    return {name: choice for name, choice in choices.items() if choice is not None}


def read_hydra(path: Path) -> dict[str, Any]:
    """Return the content of ``hydra.yaml``, which may be empty.

    Raises UserError if it cannot be read or is not one of dlcourse's.
    """
    content = read_yaml(path) or {}
    problem = misfit(content, HYDRA_SHAPE)
    if problem:
        raise UserError(
            f"{path} is not a file that dlcourse has written: {problem}.\nPut it back as it was"
        )
    return content


def read_yaml(path: Path) -> Any:
    """Return the content of a YAML file as plain values; raises UserError if it cannot be read."""
    try:
        return load_yaml(read_text(path))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {why_refused(error)}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read: {error}") from error


def refuse_differences(folder: Path, config: dict, allowed: tuple[str, ...] = ()) -> None:
    """Raise UserError that lists every key in which a config differs from the stored one.

    allowed: keys that may differ in addition to the free ones.
    """
    stored = stored_config(folder)
    differing = differing_keys(stored, as_stored(config, stored), allowed)
    if differing:
        lines = "\n".join(differing)
        raise UserError(
            f"{folder} was started with another config. These keys differ:\n{lines}\n"
            f"Type resume={folder} alone to resume it as it was started, or leave resume out to "
            "start a new run"
        )


def as_stored(config: dict, stored: dict) -> dict:
    """Return a config as it would be stored, to be compared with a stored one.

    Where an earlier version has stored the value of an environment variable, it is a value here.
    """
    before, now = dict(leaves(stored)), dict(leaves(config))
    sources = {
        key: text
        for key, text in config.get(FROM_ENVIRONMENT, {}).items()
        if key not in before or before[key] != now.get(key)
    }
    return storable(config | {FROM_ENVIRONMENT: sources})


def differing_keys(before: dict, now: dict, allowed: tuple[str, ...] = ()) -> list[str]:
    """Return a line for every key in which two configs differ: ``  optim.lr: 0.001 -> 0.5``.

    allowed: keys that may differ in addition to the free ones.
    """
    old, new = (dict(leaves(some)) for some in (before, now))
    return [
        f"  {key}: {old.get(key, 'absent')} -> {new.get(key, 'absent')}"
        for key in sorted(old.keys() | new.keys())
        if not is_free(key)
        and not is_among(key, allowed)
        and old.get(key, "absent") != new.get(key, "absent")
    ]
