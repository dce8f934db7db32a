"""Read the tensors of a file of weights."""

import argparse
import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dlcourse.errors import UserError
from dlcourse.schema.weight_files import problem_with
from dlcourse.terminal.extras import require

CONTAINERS = (
    "state_dict", "model_state_dict", "model", "net", "network", "module", "weights",
    "state_dict_ema", "model_ema", "ema", "params",
)  # fmt: skip
"""The keys under which programs store a model's weights in a checkpoint, the first one first."""

DAMAGED = (
    RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError,
    AssertionError, struct.error,
)  # fmt: skip
"""What PyTorch raises for damaged files."""
MOST_KEYS = 8  # listed in a message


def read_tensors(file: str, key: str) -> tuple[dict[str, Tensor], str]:
    """Return the tensors of a file by name, and the key of the checkpoint that holds them.

    file: in the format of ``torch.save``, or ``.safetensors``. The key is empty if the file holds
    nothing else; keys inside keys are joined by dots.
    key: the option that names the file, for messages.

    Raises UserError for a file that is missing, damaged, without tensors, or contains code.
    """
    problem = problem_with(file)
    if problem:
        raise UserError(f"{key}={file} {problem}.\nType {key}=<a file of weights>")
    path = Path(file).expanduser()
    if path.suffix == ".safetensors":
        return read_safetensors(path, key), ""
    return weights_in(read_pickled(path, key), path, key)


def read_safetensors(path: Path, key: str) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file; raises UserError for a damaged one."""
    require("safetensors", f"{key}={path.name}")
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise damaged_weights(path, key, error) from error


def read_pickled(path: Path, key: str) -> Any:
    """Return the content of a file that ``torch.save`` has written; no code of it is run.

    Raises UserError for a damaged file, and for one that holds more than tensors, numbers, texts,
    lists, dicts and the options of a command line.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of TorchScript, which is refused below
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        if named is None:
            raise damaged_weights(path, key, error) from error
        raise UserError(
            f"{key}={path} contains more than tensors: reading it would run {named[1]}, which is "
            "code, and code from a file is never run.\n"
            "Where the file comes from, save the weights alone: "
            "torch.save(model.state_dict(), 'weights.pth')"
        ) from error
    except DAMAGED as error:
        if "TorchScript" in str(error):
            raise UserError(
                f"{key}={path} is a TorchScript program, which contains code.\n"
                "Where it comes from, save the weights alone: "
                "torch.save(model.state_dict(), 'weights.pth')"
            ) from error
        raise damaged_weights(path, key, error) from error


def damaged_weights(path: Path, key: str, error: Exception) -> UserError:
    """Return the error for a file that cannot be read as weights."""
    if not isinstance(error, RuntimeError | OSError):
        reason = "its content is not what torch.save writes"
    else:
        reason = (str(error) or type(error).__name__).splitlines()[0]
    return UserError(
        f"{key}={path} cannot be read as weights: {reason:.200}\n"
        "Type a file that torch.save or safetensors has written, or download it again"
    )


def weights_in(content: Any, path: Path, key: str) -> tuple[dict[str, Tensor], str]:
    """Return the weights in a file's content, and the keys that lead to them, joined by dots."""
    place, inner = [], content
    while isinstance(inner, Mapping):
        name = next((name for name in CONTAINERS if holds_tensors(inner.get(name))), None)
        if name is None:
            break
        place, inner = [*place, name], inner[name]
    tensors = named_tensors(inner)
    if not tensors:
        keys = [str(name) for name in content] if isinstance(content, Mapping) else []
        listed = ", ".join(keys[:MOST_KEYS]) + ", ..." * (len(keys) > MOST_KEYS)
        what = f"its keys are {listed}" if keys else f"it holds a {type(content).__name__}"
        raise UserError(
            f"{key}={path} holds no weights by name: {what}.\n"
            f"Type a file with weights by name, or with these under {' or '.join(CONTAINERS[:3])}"
        )
    return tensors, ".".join(place)


def holds_tensors(content: Any) -> bool:
    """Return whether a mapping, or one inside it, has tensors as values."""
    return isinstance(content, Mapping) and (
        bool(named_tensors(content)) or any(map(holds_tensors, content.values()))
    )


def named_tensors(content: Any) -> dict[str, Tensor]:
    """Return those values of a mapping that are tensors."""
    if not isinstance(content, Mapping):
        return {}
    return {str(name): one.detach() for name, one in content.items() if isinstance(one, Tensor)}
