"""Compose configs with Hydra, without running anything; turn its errors into one message."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from dlcourse.errors import UserError
from dlcourse.schema import hydra_source
from dlcourse.schema.from_environment import has_variable, sources_in
from dlcourse.schema.hydra_api import compose_with, make_composer, split_grid, typed_overrides
from dlcourse.schema.overrides import FROM_ENVIRONMENT, key_of, leaves, quoted, refuse_large
from dlcourse.schema.packaged import CONFIGS, choice_files
from dlcourse.schema.suggest import unknown_key, unknown_option
from dlcourse.schema.untrusted import read_text, yaml_of
from dlcourse.schema.validate import GROUPS, MULTIPLE, SWEEP_KEYS, check
from dlcourse.terminal.command import own_name

NO_REFERENCE = (
    "${ starts a reference to another key; no text may contain it.\n"
    "Type another value; rename the file or folder if this is its name"
)
MISSING = "???"  # OmegaConf's sign for a value that is still to be given

hydra_source.install()

LAUNCHERS = {
    "submitit_slurm": "dlcourse[slurm]",
    "submitit_local": "dlcourse[slurm]",
    "ray": "dlcourse[ray]",
    "joblib": "hydra-joblib-launcher",
}
"""Hydra's launchers that are plugins, each with the package to install."""


def compose_job(
    overrides: list[str], config_dir: str | None, mode: RunMode = RunMode.RUN
) -> DictConfig:
    """Compose the config of one run, Hydra's own part included; raises UserError.

    mode: ``RunMode.MULTIRUN`` for the config that all jobs of a sweep share.
    """
    refuse_large(overrides)
    try:
        cfg = compose_with(make_composer(config_dir), overrides, mode)
    except (HydraException, OmegaConfBaseException, ValueError, TypeError) as error:
        fixed = overrides if mode is RunMode.RUN else without_lists(overrides)
        raise broken_yaml(config_dir) or explain(error, fixed, config_dir) from error
    except (YAMLError, OSError, AttributeError, AssertionError, RecursionError) as error:
        broken = broken_yaml(config_dir)
        if broken is None and isinstance(error, OSError):
            broken = UserError(f"{error.strerror or error}\nType shorter names")
        if broken is None and isinstance(error, AssertionError):  # of Hydra's, about a reference
            broken = UserError("Hydra cannot read these overrides.\nType key=value for each")
        if broken is None:
            raise
        raise broken from error
    for group in set(GROUPS) - set(MULTIPLE) - set(cfg.hydra.runtime.choices):
        known = ", ".join(sorted(options_of(group, config_dir)))
        raise UserError(f"{group} takes exactly one choice.\nType {group}=<one of {known}>")
    refuse_no_target(cfg, config_dir)
    return cfg


def compose_checked(overrides: Sequence[str], config_dir: str | None) -> dict:
    """Compose and check the config of one run, without Hydra's part; raises UserError."""
    config = without_hydra(compose_job(list(overrides), config_dir))
    check(config)
    return config


def compose_with_choices(
    overrides: Sequence[str], config_dir: str | None
) -> tuple[dict, dict[str, str]]:
    """Compose and check the config of one run; return it, and the choice of each group."""
    check_config_dir(config_dir)
    composed = compose_job(list(overrides), config_dir)
    config = without_hydra(composed)
    check(config)
    return config, dict(composed.hydra.runtime.choices)


def check_config_dir(config_dir: str | None) -> None:
    """Raise UserError if ``--config-dir`` is not a folder."""
    if config_dir is not None and not Path(config_dir).is_dir():
        raise UserError(
            f"--config-dir {config_dir} is not a folder.\n"
            "Name the folder that has model/, optim/ ... with your own YAML files in it"
        )


def broken_yaml(config_dir: str | None) -> UserError | None:
    """Return the error for the user's first YAML file that cannot be read; None if all can be."""
    for path in sorted(Path(config_dir).rglob("*.yaml")) if config_dir else ():
        try:
            content = yaml_of(read_text(path), yaml.safe_load)
        except YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
            problem = getattr(error, "problem", None) or str(error)
            hint = "indent with spaces, not with tabs" if "\\t" in problem else "type key: value"
            return UserError(f"{path}{place}: this is not YAML: {problem}.\nIn it, {hint}")
        except (OSError, ValueError) as error:
            return UserError(f"{path} cannot be read: {error}")
        if content is not None and not isinstance(content, dict):
            return UserError(
                f"{path}, line 1: it contains {content!r:.40}, and a config has keys.\n"
                "Type key: value on each line, first _target_: my_module.MyClass"
            )
    return None


def refuse_no_target(cfg: DictConfig, config_dir: str | None) -> None:
    """Raise UserError if a chosen YAML file of the user's own has no ``_target_``."""
    for group in GROUPS if config_dir else ():
        several, node = group in MULTIPLE, cfg.get(group)
        name = "*" if several else str(cfg.hydra.runtime.choices[group])
        files = sorted(map(str, Path(config_dir or "").glob(f"{group}/{name}.yaml")))
        nodes = list((node or {}).values()) if several else [node]
        targets = [one.get("_target_") if isinstance(one, DictConfig) else None for one in nodes]
        if files and not all(isinstance(target, str) for target in targets):
            text = "<its own name>:\n    _target_" if several else "_target_"
            raise broken_yaml(config_dir) or UserError(
                f"{' or '.join(files)} does not say what {group} calls: its _target_ is missing.\n"
                f"Type into it {text}: my_module.my_{group}"
            )


def compose_sweep(overrides: list[str], config_dir: str | None) -> DictConfig:
    """Compose the config that all jobs of a sweep share; raises UserError."""
    typed = {key_of(override): override for override in overrides}
    if typed.get("hydra.mode") != "hydra.mode=MULTIRUN":
        overrides = [*overrides, "hydra.mode=MULTIRUN"]
    return compose_job(overrides, config_dir, RunMode.MULTIRUN)


def without_lists(overrides: list[str]) -> list[str]:
    """Return the overrides that have a single value."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    return [str(one.input_line) for one in parsed if not one.is_sweep_override()]


def overrides_of_grid(overrides: Sequence[str]) -> list[list[str]]:
    """Return the overrides of every run of a grid: ``optim.lr=1,2`` gives two runs."""
    try:
        return split_grid(OverridesParser.create().parse_overrides(list(overrides)))
    except (HydraException, ValueError) as error:
        raise explain(error, list(overrides)) from error


def sweep_points(cfg: DictConfig, overrides: list[str]) -> list[list[str]]:
    """Return the overrides of every job of Hydra's grid; empty for any other sweeper.

    cfg: from ``compose_sweep``. Raises UserError for overrides that Hydra does not understand.
    """
    if not str(cfg.hydra.sweeper.get("_target_", "")).endswith("BasicSweeper"):
        return []
    parser = OverridesParser.create()
    params = cfg.hydra.sweeper.get("params") or {}
    try:
        swept = parser.parse_overrides([f"{key}={value}" for key, value in params.items()])
        return split_grid([*swept, *parser.parse_overrides(overrides)])
    except HydraException as error:
        raise explain(error, overrides) from error


def hydra_of_run(cfg: DictConfig, folder: Path) -> DictConfig:
    """Return Hydra's part of a composed config for a run in this folder.

    It is a config with the single key ``hydra``, used for the run's log and stored in its folder.
    """
    own = hydra_of_job(cfg, folder)
    with read_write(own.hydra), open_dict(own.hydra):
        own.hydra.run.dir = str(folder)
        own.hydra.overrides.hydra.append(f"hydra.run.dir={quoted(str(folder))}")
        if own.hydra.mode is None:
            own.hydra.mode = RunMode.RUN
            own.hydra.overrides.hydra.append("hydra.mode=RUN")
    return own


def hydra_of_job(cfg: DictConfig, folder: Path) -> DictConfig:
    """Return Hydra's part of a composed config for a job of a sweep in this folder."""
    own = OmegaConf.masked_copy(cfg, "hydra")
    with read_write(own.hydra), open_dict(own.hydra):
        own.hydra.runtime.output_dir = str(folder.absolute())
        own.hydra.overrides.task = recorded_overrides(cfg)
    return own


def recorded_overrides(cfg: DictConfig) -> list[str]:
    """Return the overrides of a composed config as they are stored: with their references resolved.

    If an environment variable is among these, they stay as typed, because it may hold a password.
    """
    typed = typed_overrides(cfg)
    if not any("${" in text for text in typed):
        return typed
    keys = [str(key) for key in cfg if key != "hydra"]
    raw: Any = OmegaConf.to_container(OmegaConf.masked_copy(cfg, keys), resolve=False)
    return typed if has_variable([typed, raw]) else list(cfg.hydra.overrides.task)


def without_hydra(cfg: DictConfig) -> dict:
    """Return the config of a job as a plain dict: without the keys of Hydra and of the sweep.

    Interpolations are resolved; those of environment variables are kept as well, under
    ``FROM_ENVIRONMENT``. Raises UserError if one cannot be resolved, or a text contains ``${``.
    """
    try:
        # some of Hydra's own keys have values only while a job runs
        keys = [str(key) for key in cfg if key not in ("hydra", *SWEEP_KEYS)]
        own = OmegaConf.masked_copy(cfg, keys)
        config: Any = OmegaConf.to_container(own, resolve=True)
    except OmegaConfBaseException as error:
        raise explain(error) from error
    for key, value in leaves(config):
        if value == MISSING:
            raise UserError(f"{key} has no value: {MISSING} stands for one.\nType {key}=<value>")
        if "${" in str(value):
            raise UserError(f"{key}={value}: {NO_REFERENCE}")
    raw: Any = OmegaConf.to_container(own, resolve=False)
    if has_variable(raw):
        config[FROM_ENVIRONMENT] = sources_in(raw, config)
    return config


def explain(
    error: Exception, overrides: list[str] | None = None, config_dir: str | None = None
) -> UserError:
    """Turn an error of Hydra's about a command into one message.

    overrides: of the command; a message about an unknown key suggests one that it has.
    """
    if isinstance(error, MissingConfigException):
        group, _, option = str(error.missing_cfg_file).rpartition("/")
        if group == "hydra/launcher" and option in LAUNCHERS:
            return UserError(
                f"hydra/launcher={option} is a plugin that is not installed.\n"
                f"Type pip install '{LAUNCHERS[option]}', or leave it out and type workers=2"
            )
        top, _, within = group.partition("/")
        if within and top != "hydra":
            group, option = top, f"{within}/{option}"
        own = [] if within else error.options or []
        known = {*options_of(group, config_dir), *own}
        known = [name for name in known if not name.startswith("_")]
        return UserError(unknown_option(group, option, known, group in MULTIPLE))
    if isinstance(error, OverrideParseException):
        return UserError(
            f"{error.override} is not understood: {str(error).splitlines()[0]}.\n"
            "Type key=value without spaces; quote lists for the shell: 'augment=[crop,flip]'"
        )
    text = str(error)
    broken = next((one for one in overrides or [] if "${" in one), None)
    if broken and "Error merging override" in text:
        return UserError(f"{broken} is not understood: {NO_REFERENCE}")
    unknown = re.search(r"Could not override '([^'@]+)'", text)
    if unknown:
        key = unknown[1]
        known = known_keys(overrides or [], config_dir)
        typed = next((one for one in overrides or [] if key_of(one) == key), "")
        options = partial(options_of, config_dir=config_dir)
        value = typed.partition("=")[2]
        return UserError(unknown_key(key, value, known, options, own_name()))
    lines = [line for line in text.splitlines() if line.strip()]
    cause = f" ({str(error.__cause__).splitlines()[0]})" if str(error.__cause__ or "") else ""
    command = f"\nin {' '.join(overrides)}" if overrides else ""
    return UserError(" ".join(lines[:2]) + cause + command)


def options_of(group: str, config_dir: str | None) -> list[str]:
    """Return the choices of a group, ``lecture/xor`` for one in a folder of the group.

    Those in the user's own folder are included.
    """
    folders = [CONFIGS, *([Path(config_dir)] if config_dir else [])]
    return [name for folder in folders for name in choice_files(folder / group)]


def known_keys(overrides: list[str], config_dir: str | None) -> list[str]:
    """Return every group, and every key of the config with the choices that were typed."""
    choices = [override for override in overrides if key_of(override) in GROUPS]
    if len(choices) == len(overrides):
        choices = []  # one of them is the mistake
    cfg = compose_job(choices, config_dir)
    own = OmegaConf.to_container(OmegaConf.masked_copy(cfg, list(SWEEP_KEYS)))
    keys = [key for part in (without_hydra(cfg), own) for key, _ in leaves(part, private=False)]
    groups = [group for group in cfg.hydra.runtime.choices if not group.startswith("hydra/")]
    return [*groups, *keys]


def keep_for_options(args: list[str], overrides: list[str]) -> list[str]:
    """Apply an override of a swept group only to those of its choices that have the key.

    In ``optim=sgd,momentum optim.momentum=0.5`` the value becomes a list of one, ``choice(0.5)``:
    Hydra composes single values before it chooses from the list of ``optim``, and ``sgd`` lacks the
    key. args: the command's arguments, in which the overrides are replaced.
    """
    parsed = OverridesParser.create().parse_overrides(overrides)
    swept = {one.key_or_group for one in parsed if one.is_sweep_override()}
    replaced = {
        one.input_line: f"{one.get_key_element()}=choice({one.get_value_element_as_str()})"
        for one in parsed
        if not one.is_sweep_override()
        and not one.is_delete()
        and (one.package or one.key_or_group.split(".")[0] in swept)
        and "." in one.key_or_group
    }
    return [replaced.get(arg, arg) for arg in args]
