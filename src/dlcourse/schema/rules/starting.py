"""Rules about the files that only a new run reads; later its weights are in a checkpoint."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlcourse.schema.facts import fact, target
from dlcourse.schema.run_files import BEST_WEIGHTS
from dlcourse.schema.weight_files import names_a_file, problem_with
from dlcourse.terminal.extras import refuse_missing


def the_run_to_start_from_is_there(config: dict) -> Iterator[str]:
    """The run whose weights ``init=from_run`` reads must exist."""
    if target(config, "init") != "dlcourse.init.from_run.from_run":
        return
    run = config["init"].get("run")
    if run is None:
        yield "init=from_run takes its weights from a finished run.\nType init.run=<its folder>"
    elif not (Path(run) / BEST_WEIGHTS).exists():
        yield (
            f"init.run={run} holds no weights: {BEST_WEIGHTS} is not in it.\n"
            "Type init.run=<folder of a run>, in cross-validation <folder>/fold0"
        )


def the_file_to_start_from_is_there(config: dict) -> Iterator[str]:
    """The file whose weights ``init=from_file`` reads must exist; patterns must have partners."""
    if target(config, "init") != "dlcourse.init.from_file.from_file":
        return
    file, rename = config["init"].get("file"), config["init"]["rename"] or {}
    if file is None:
        yield "init=from_file takes its weights from a file.\nType init.file=<its name>"
    elif problem_with(file):
        yield f"init.file={file} {problem_with(file)}.\nType init.file=<a file of weights>"
    else:
        refuse_without_package("init.file", file)
    for old, new in rename.items():
        if old.count("*") != new.count("*"):
            yield (
                f"init.rename has {old}: {new}, and both names must have the same number of *.\n"
                "Type, for example, 'init.rename={encoder.*: features.*}'"
            )


def refuse_without_package(key: str, file: str) -> None:
    """Raise UserError for a ``.safetensors`` file if its optional package is not installed."""
    if file.endswith(".safetensors"):
        refuse_missing("safetensors", f"{key}={file}")


def is_file(model: Mapping[str, Any], weights: str) -> bool:
    """Return whether ``model.weights`` is a file: always, or unless it is a published name."""
    return "pretrained" in model or names_a_file(weights)


def the_file_of_weights_is_there(config: dict) -> Iterator[str]:
    """A file named in ``model.weights`` must exist."""
    model = config["model"]
    file = model.get("weights") if fact(model, "published_weights") else None
    if not isinstance(file, str) or not is_file(model, file):
        return
    if problem_with(file):
        yield (
            f"model.weights={file} {problem_with(file)}.\n"
            "Type the name of a file of weights, or model.weights=null for random ones"
        )
    refuse_without_package("model.weights", file)


RULES = (
    the_run_to_start_from_is_there,
    the_file_to_start_from_is_there,
    the_file_of_weights_is_there,
)
