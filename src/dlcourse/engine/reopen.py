"""Open finished runs: their config, their model and its predictions."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from dlcourse.core import Standardize
from dlcourse.engine.instantiate import build
from dlcourse.engine.trained_model import TrainedModel, as_inputs, predict
from dlcourse.errors import UserError
from dlcourse.runs import run_folder, start_record
from dlcourse.runs.links import refuse_links
from dlcourse.runtime import Runtime
from dlcourse.schema import run_files
from dlcourse.schema.facts import fact, with_random_weights
from dlcourse.schema.trust import check_trust
from dlcourse.schema.validate import check
from dlcourse.terminal.command import own_name
from dlcourse.train.checkpoint import read_best
from dlcourse.view.answer import from_views


def folds_of(folder: Path) -> list[Path]:
    """Return the folders that hold a model: the run's own, or those of all its folds.

    Raises UserError if the run has not finished.
    """
    result = run_folder.read_result(folder)
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.\nName the folder of a finished run")
    if result is None:
        raise UserError(
            f"{folder} holds no finished run: {run_files.RESULT} is not in it.\n"
            f"Name the folder of a run, or resume it first: {own_name()} resume={folder}"
        )
    refuse_links(folder)
    names = [str(fold["name"]) for fold in result.get("folds", [{"name": "."}])]
    for name in names:
        if name != "." and (Path(name).name != name or name == ".."):
            raise UserError(f"{folder / run_files.RESULT} names a fold outside the run: {name!r}")
    return [folder / name for name in names]


def config_of(folder: Path, trust: str) -> dict:
    """Return the config of a run, or of the run that a fold's folder belongs to.

    trust: names of modules outside dlcourse that it may call, separated by commas.
    Raises UserError for a config that cannot be read or calls any other code.
    """
    fold = not (folder / run_files.CONFIG).exists()
    config = start_record.usable_config(folder.resolve().parent if fold else folder)
    config["trust"] = [name for name in trust.strip("[]").split(",") if name]
    check_trust(config)
    check(config, used=("model", "data", "loss", "metric", "view"))
    return config


def load_model(config: dict, runtime: Runtime, folder: Path) -> tuple[nn.Module, Standardize]:
    """Return a fold's model with its best weights, in evaluation mode, and its standardisation."""
    result = run_folder.read_result(folder)
    assert result is not None  # ``folds_of`` has refused a folder without one
    shape = tuple(result["input_shape"])
    make = build(with_random_weights(config["model"]))
    model = runtime.place(make(shape, result["output_size"]), shape)
    _, standardize = read_best(model, folder, shape)
    return model.eval(), standardize.to(runtime.device)


def stored_task(result: dict) -> str:
    """Return the task of a run, as ``Dataset.task``; runs of an older dlcourse lack it."""
    return result.get("task") or ("classification" if result["classes"] else "regression")


def plain_network(config: dict, folder: Path) -> tuple[nn.Module, Standardize]:
    """Return a fold's network with its best weights, in evaluation mode, and its standardisation.

    It is on the CPU, in PyTorch's own memory order, and uses none of the runtime's fast paths.
    """
    result = run_folder.read_result(folder)
    assert result is not None  # ``folds_of`` has refused a folder without one
    shape = tuple(result["input_shape"])
    make = build(with_random_weights(config["model"]))
    network = make(shape, result["output_size"])
    _, standardize = read_best(network, folder, shape)
    return network.eval(), standardize


class Opened(NamedTuple):
    """A finished run's model, and how it is evaluated.

    evaluate: model, standardised inputs -> outputs (N, K), averaged over the run's views.
    autocast: makes the context of its precision. task: that of its data, as ``Dataset.task``.
    outputs: the kind of its outputs, as its loss declares them: softmax, sigmoid or scores.
    """

    model: TrainedModel
    evaluate: Callable[[nn.Module, Tensor], Tensor]
    autocast: Callable[[], AbstractContextManager]
    input_shape: tuple[int, ...]
    task: str
    outputs: str


def open_model(
    folder: Path,
    *,
    trust: Sequence[str] = (),
    device: str | None = None,
    precision: str | None = None,
) -> Opened:
    """Return the model of a finished run, or of one fold, in evaluation mode.

    trust: modules outside dlcourse that the config may call. device, precision: replace the
        config's.
    Raises UserError for a config that calls any other code, and for a damaged checkpoint.
    """
    config = config_of(folder, ",".join(trust))
    config["runtime"]["compile"] = False  # compiling takes longer than it saves
    if device is not None:
        config["runtime"]["device"] = device
    if precision is not None:
        config["runtime"]["precision"] = precision
    runtime: Runtime = build(config["runtime"])()
    result = run_folder.read_result(folder)
    assert result is not None
    shape = tuple(result["input_shape"])
    network, standardize = load_model(config, runtime, folder)
    prepare = runtime.prepare(shape)
    return Opened(
        model=TrainedModel(network, standardize, prepare).eval(),
        evaluate=from_views([build(node) for node in config["view"].values()], prepare),
        autocast=runtime.autocast,
        input_shape=shape,
        task=stored_task(result),
        outputs=fact(config["loss"], "outputs"),
    )


def predict_with(opened: Sequence[Opened], inputs: Any) -> Tensor:
    """Return the predictions (N, K) of one model, or of several averaged; see ``predict``."""
    first = opened[0]
    tensor = as_inputs(inputs, first.input_shape)
    if tensor.is_floating_point():  # features: as the map of their standardisation computes
        tensor = tensor.to(first.model.mean.dtype)
    return predict(
        [one.model for one in opened],
        tensor,
        first.evaluate,
        first.autocast,
        first.outputs,
        task=first.task,
    )
