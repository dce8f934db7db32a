"""Finished runs, opened again by scripts."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf
from torch import nn

from dlcourse.core import Standardize
from dlcourse.engine.build import build
from dlcourse.errors import UserError
from dlcourse.runs import run_folder
from dlcourse.runtime import Runtime
from dlcourse.schema.trust import check_trust
from dlcourse.schema.validate import check
from dlcourse.terminal.command import own_name
from dlcourse.train.checkpoint import read_best


def folds_of(folder: Path) -> list[Path]:
    """Return the folders with a model of their own: the run's, or its folds' one by one.

    Raises UserError where the run has not finished.
    """
    result = run_folder.read_result(folder)
    if result is None:
        raise UserError(
            f"{folder} holds no finished run: {run_folder.RESULT} is not in it.\n"
            f"Name the folder of a run, or resume it first: {own_name()} resume={folder}"
        )
    return [folder / fold["name"] for fold in result.get("folds", [{"name": "."}])]


def config_of(folder: Path, trust: str) -> DictConfig:
    """Return the config that a run, or the run that a fold belongs to, was started with.

    trust: names of modules outside dlcourse that it may call, with commas between them.
    Raises UserError for a config that cannot be read or calls something else.
    """
    fold = not (folder / run_folder.CONFIG).exists()
    config = run_folder.stored_config(folder.resolve().parent if fold else folder)
    config["trust"] = [name for name in trust.strip("[]").split(",") if name]
    check_trust(config)
    check(config)
    return OmegaConf.create(config)


def load_model(cfg: DictConfig, runtime: Runtime, folder: Path) -> tuple[nn.Module, Standardize]:
    """Return a fold's model with its best weights, ready for use, and its standardisation."""
    result = run_folder.read_result(folder)
    shape = tuple(result["input_shape"])
    model = runtime.place(build(cfg.model)(shape, result["output_size"]), shape)
    _, standardize = read_best(model, folder)
    return model.eval(), standardize.to(runtime.device)
