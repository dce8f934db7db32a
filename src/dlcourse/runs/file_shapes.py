"""The shapes of the JSON files in the folders of runs and sweeps; see ``schema.stored_shape``."""

from pathlib import Path
from typing import Any

from dlcourse.schema.stored_shape import misfit

METRIC = (float, None)  # null is NaN
METRICS_BY_NAME = {str: METRIC}
OF_ONE_MODEL = {
    "best": METRIC, "epochs": int, "best_epoch": int, "val?": METRICS_BY_NAME,
    "test?": METRICS_BY_NAME, "seconds?": float, "examples?": {str: int},
}  # fmt: skip
RESULT_SHAPE: dict[str, Any] = {
    "monitor": str, "mode": str, "best": METRIC, "seconds": float, "ended_by?": str,
    "mean?": METRICS_BY_NAME, "std?": METRICS_BY_NAME, "train?": METRICS_BY_NAME,
    "parameters?": int, "seed?": int, "data?": str, "task?": str, "device?": (str, None),
    "input_shape?": [int], "output_size?": int, "classes?": [str], "versions?": {str: str},
    "options?": {str: object}, "note?": (str, None), "tags?": list, "continued?": [dict],
    "ensemble?": METRICS_BY_NAME, "out_of_fold?": METRICS_BY_NAME,
}  # fmt: skip
FOLD_SHAPE = {"name": str, **OF_ONE_MODEL}
FAILURE_SHAPE = {
    "reason?": (str, None), "status?": (int, None), "attempts?": (int, None), "log?": (str, None),
    "diverged?": (bool, None),
}  # fmt: skip
PRUNED_SHAPE = {"epoch?": (float, None), "value?": (float, None)}
ENGINE_SHAPE = {"engine": (str, None)}
PICKS_SHAPE = {"picked": {str: (bool, str)}, "measured": {str: METRIC}}
OF_EVERY_SWEEP: dict[str, Any] = {
    "words?": [str], "config_dir?": (str, None), "keys": [str], "monitor": str, "mode": str,
}  # fmt: skip
MANIFEST_SHAPE = OF_EVERY_SWEEP | {
    "points": [{"values": {str: object}, "jobs": [str], "number?": int, "words?": [str]}],
}
"""What reports need of ``sweep.json``."""
RESUMED_SHAPE = OF_EVERY_SWEEP | {
    "words": [str], "identity": str, "method": str, "threads": int, "streams?": int,
    "defaults?": int,
    "points?": [{"number": int, "jobs": [str], "words?": [str], "values?": object}],
}  # fmt: skip
"""What is needed to resume a sweep."""


def result_misfit(content: Any) -> str:
    """Return why content is not the result of a finished run; "" if it is."""
    problem = misfit(content, RESULT_SHAPE)
    if problem:
        return problem
    if "folds" not in content:
        return misfit(content, OF_ONE_MODEL)
    names = [one["name"] for one in content["folds"] if not misfit(one, FOLD_SHAPE)]
    outside = [name for name in names if not is_folder_name(name)]
    if outside:
        return f"{outside[0]!r:.40} is not the name of a fold's folder"
    return misfit(content, {"folds": [FOLD_SHAPE]})


def manifest_misfit(content: Any, *, resumed: bool = False) -> str:
    """Return why content is not that of ``sweep.json``; "" if it is.

    resumed: whether the sweep is to be resumed, and not only reported.
    """
    problem = misfit(content, RESUMED_SHAPE if resumed else MANIFEST_SHAPE)
    if problem:
        return problem
    names = [name for point in content.get("points", []) for name in point["jobs"]]
    outside = [name for name in names if not is_folder_name(name)]
    return f"{outside[0]!r:.40} is not the name of a job's folder" if outside else ""


def is_folder_name(name: str) -> bool:
    """Return whether a text names a folder inside another one, and does not lead out of it."""
    return (
        Path(name).name == name
        and name not in ("", "..")
        and name.isprintable()
        and (len(name) < 256)
    )
