"""The calls into Hydra's private parts, in one place because a new version of Hydra may move them.

They work with Hydra 1.3 and 1.4.
"""

import math
import os
from collections.abc import Callable, Sequence
from typing import Any

import hydra
import hydra.version
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import get_overrides_dirname
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path, get_args_parser
from hydra.core import utils
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.types import Override, RangeSweep
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from dlcourse.errors import UserError
from dlcourse.schema.packaged import CONFIGS
from dlcourse.terminal.steady_logs import steady_logs

LONGEST_RANGE = 100_000  # values of range(...) in one override
CONFIG_NAME = "train"  # of configs/train.yaml, and of a job in Hydra's own config
VERSION = {"version_base": "1.3"} if hydra.__version__.startswith("1.3") else {}

arguments_parser = get_args_parser  # of Hydra's command line flags


def typed_overrides(cfg: DictConfig) -> list[str]:
    """Return the overrides of a composed config as they were typed.

    ``data.seed=${seed}`` keeps its reference, which each job of a sweep resolves with its own seed.
    """
    typed: Any = OmegaConf.to_container(cfg.hydra.overrides.task, resolve=False)
    return list(typed)


def register_resolver(name: str, function: Callable) -> None:
    """Register a function whose result replaces ``${name:...}`` in a config."""
    register: Any = OmegaConf.register_new_resolver if VERSION else OmegaConf.register_resolver
    register(name, function, replace=True)


def make_composer(config_dir: str | None) -> Hydra:
    """Return a Hydra object that composes configs from ``configs/`` and the user's own folder."""
    if VERSION:
        hydra.version.setbase(VERSION["version_base"])
    search_path = create_config_search_path(str(CONFIGS))
    assert isinstance(search_path, ConfigSearchPathImpl)
    if config_dir is not None:
        own = f"file://{os.path.abspath(config_dir)}"
        search_path.prepend("command-line", own, SearchPathQuery(provider="schema"))
    running = GlobalHydra.instance().hydra  # of a caller who uses Hydra as well
    GlobalHydra.instance().clear()
    try:
        return Hydra.create_main_hydra2(CONFIG_NAME, search_path)
    finally:
        GlobalHydra.instance().hydra = running


def compose_with(composer: Hydra, overrides: Sequence[str], mode: RunMode) -> DictConfig:
    """Compose a config, which is done only here; raises Hydra's exceptions."""
    return composer.compose_config(
        CONFIG_NAME, list(overrides), mode, from_shell=True, with_log_configuration=False
    )


def refuse_long_range(override: Override) -> None:
    """Raise UserError for ``range(...)`` with too many values to be listed, or without an end."""
    values: Any = override.value()
    if not isinstance(values, RangeSweep):
        return
    start, stop, step = (float(end or 0) for end in (values.start, values.stop, values.step))
    count = (stop - start) / step if step else math.inf
    if not count <= LONGEST_RANGE:  # it is NaN for an end that is
        raise UserError(
            f"{override.input_line} has more than {LONGEST_RANGE:,} values, or no end.\n"
            f"Type fewer, {override.get_key_element()}=range(1,10,1), or sweep=random with "
            "interval(1,10)"
        )


def overrides_dirname(cfg: DictConfig, overrides: Sequence[Override]) -> str:
    """Return ``hydra.job.override_dirname`` of a job with these overrides, as Hydra makes it."""
    options = cfg.hydra.job.config.override_dirname
    return get_overrides_dirname(
        overrides=list(overrides),
        kv_sep=options.kv_sep,
        item_sep=options.item_sep,
        exclude_keys=options.exclude_keys,
    )


def split_grid(overrides: Sequence[Override]) -> list[list[str]]:
    """Return the overrides of every job of a grid, as Hydra's basic sweeper does."""
    batches = BasicSweeper.split_arguments(list(overrides), None)
    return [list(point) for batch in batches for point in batch]


def set_up_logging(hydra_config: DictConfig) -> None:
    """Configure this process's logging by ``hydra.job_logging``: into the run's ``train.log``.

    hydra_config: Hydra's part of the run's config.
    """
    utils.configure_log(hydra_config.job_logging, hydra_config.verbose)
    steady_logs()


def hydra_context(config_dir: str | None, callbacks: Callbacks | None = None) -> HydraContext:
    """Return what Hydra's sweepers and launchers compose jobs with.

    callbacks: those of ``hydra.callbacks``; None for none.
    """
    return HydraContext(make_composer(config_dir).config_loader, callbacks or Callbacks())


def run_in_frame(
    cfg: DictConfig, hydra_config: DictConfig, config_dir: str | None, job: Callable[[], Any]
) -> None:
    """Run a job with ``hydra.job.chdir``, ``hydra.job.env_set`` and ``hydra.callbacks`` applied.

    cfg: the composed config. hydra_config: Hydra's part of it for this run. Raises what the job
    raises.
    """
    cfg = cfg.copy()
    with read_write(cfg), open_dict(cfg):
        cfg.hydra = hydra_config
    callbacks = Callbacks(cfg)
    callbacks.on_run_start(config=cfg, config_name=CONFIG_NAME)
    returned = utils.run_job(
        task_function=lambda _: job(),
        config=cfg,
        job_dir_key="hydra.run.dir",
        job_subdir_key=None,
        hydra_context=hydra_context(config_dir, callbacks),
        configure_logging=False,
    )
    callbacks.on_run_end(config=cfg, config_name=CONFIG_NAME, job_return=returned)
    _ = returned.return_value  # raises what the job has raised


def run_sweeper(
    cfg: DictConfig, config_dir: str | None, task: Callable[[DictConfig], float]
) -> None:
    """Run a sweep with the sweeper that its config names.

    task: the function that a sweeper other than dlcourse's, or a launcher, calls for each job.
    """
    utils.configure_log(cfg.hydra.hydra_logging, cfg.hydra.verbose)
    callbacks = Callbacks(cfg)
    callbacks.on_multirun_start(config=cfg, config_name=CONFIG_NAME)
    context = hydra_context(config_dir, callbacks)
    sweeper = Plugins.instance().instantiate_sweeper(
        config=cfg, hydra_context=context, task_function=task
    )
    sweeper.sweep(arguments=typed_overrides(cfg))
    callbacks.on_multirun_end(config=cfg, config_name=CONFIG_NAME)


def run_hydra_flag(task: Callable[[DictConfig], Any]) -> None:
    """Run Hydra's ``--cfg``, ``--info``, ``--hydra-help`` or ``--shell-completion`` in sys.argv."""
    hydra.main(config_path=str(CONFIGS), config_name=CONFIG_NAME, **VERSION)(task)()
