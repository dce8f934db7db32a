"""Read many tensors from the device at once."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


def read_back(tree: Any) -> Any:
    """Return nested dicts and lists of tensors as numbers, after one transfer from each device."""
    flat: list[Tensor] = []
    collect(tree, flat)
    if not flat:
        return tree
    devices = dict.fromkeys(tensor.device for tensor in flat)
    kept: dict[int, list[float]] = {}
    for device in devices:
        own = [tensor for tensor in flat if tensor.device == device]
        wide = torch.float32 if device.type == "mps" else torch.float64
        host = torch.cat([tensor.detach().flatten().to(wide) for tensor in own]).tolist()
        start = 0
        for tensor in own:
            kept[id(tensor)] = host[start : start + tensor.numel()]
            start += tensor.numel()
    return filled_in(tree, kept)


def collect(tree: Any, flat: list[Tensor]) -> None:
    """Append all tensors of nested dicts and lists."""
    if isinstance(tree, Tensor):
        flat.append(tree)
    elif isinstance(tree, Mapping):
        for value in tree.values():
            collect(value, flat)
    elif isinstance(tree, list):
        for value in tree:
            collect(value, flat)


def filled_in(tree: Any, kept: Mapping[int, list[float]]) -> Any:
    """Return the tree with the numbers of each tensor in its place, rounded to six digits."""
    if isinstance(tree, Tensor):
        numbers = [rounded(number) for number in kept[id(tree)]]
        return numbers if tree.dim() else numbers[0]
    if isinstance(tree, Mapping):
        return {key: filled_in(value, kept) for key, value in tree.items()}
    if isinstance(tree, list):
        return [filled_in(value, kept) for value in tree]
    return tree


def rounded(number: float) -> float:
    """Return a number with six significant digits."""
    return float(f"{number:.6g}")
