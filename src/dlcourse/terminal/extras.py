"""Optional packages: each belongs to an extra of dlcourse, and is imported where it is used."""

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from dlcourse.errors import UserError

EXTRAS = {
    "optuna": "search",
    "pyarrow": "parquet",
    "datasets": "huggingface",
    "schedulefree": "optim",
    "timm": "timm",
    "safetensors": "safetensors",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "onnxruntime": "onnx",
    "wandb": "wandb",
    "mlflow": "mlflow",
    "aim": "aim",
}
"""The extra in pyproject.toml of each optional package, by the name of its module."""

NOT_LOADED = object()


def require(module: str, purpose: str) -> ModuleType:
    """Return an optional module, ``require("timm", "model=timm")``.

    purpose: what needs it, as the start of a sentence.
    Raises UserError with what to type to install it.
    """
    refuse_missing(module, purpose)
    return import_module(module)


def refuse_missing(module: str, purpose: str) -> None:
    """Raise UserError if an optional module is not installed, without importing it."""
    name = module.partition(".")[0]
    loaded = sys.modules.get(name, NOT_LOADED)
    if loaded is None or (loaded is NOT_LOADED and not importable(name)):
        package = f"'dlcourse[{EXTRAS[name]}]'" if name in EXTRAS else name
        raise UserError(
            f"{purpose} needs {name}, which is not installed.\nType pip install {package}"
        )


def importable(name: str) -> bool:
    """Return whether a module can be imported, without importing it.

    A folder such as ``wandb/`` in the current folder is no package of an extra.
    """
    spec = find_spec(name)
    return spec is not None and (name not in EXTRAS or spec.origin is not None)
