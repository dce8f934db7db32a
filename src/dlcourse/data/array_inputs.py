"""Turn arrays of numbers into the inputs of a data set: features or images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.core import WHITE
from dlcourse.errors import UserError

NUMBER_KINDS = "biuf"  # numpy's kinds of bool, int, unsigned int and float
CHANNEL_COUNTS = (
    1,
    3,
)  # numbers of channels by which layout=auto recognises the axis of the channels
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)


def all_inputs(arrays: Mapping[str, Any], layout: str) -> list[Tensor]:
    """Return the inputs of each array: features (N, D) float32, or images (N, C, H, W).

    Arrays (N,) and (N, D) are features; (N, H, W) are grey images; for four dimensions see
    ``channels_first``. Images of whole numbers from 0 to 255 become uint8. Those of floats from 0
    to 1 are multiplied by 255, and become uint8 as well if no digits are lost. All others keep
    their values, as float32. The rule is the same for all arrays.

    arrays: by their names in messages.

    Raises UserError for other shapes, for anything but numbers and for numbers that are not finite.
    """
    read = {where: numbers(array, where) for where, array in arrays.items()}
    shapes = {where: array.shape[1:] for where, array in read.items()}
    first, *others = shapes
    for other in others:
        if shapes[other] != shapes[first]:
            raise UserError(
                f"{first} has examples of the shape {shapes[first]}, and {other} of "
                f"{shapes[other]}.\nGive all parts the same shape"
            )
    if len(shapes[first]) <= 1:
        return [
            torch.from_numpy(array.reshape(len(array), -1).astype(np.float32))
            for array in read.values()
        ]
    images = [channels_first(array, layout, where) for where, array in read.items()]
    factor = WHITE if all(map(up_to_one, images)) else 1.0
    as_bytes = all(is_whole(array, factor) for array in images)
    return [as_pixels(array, factor, as_bytes) for array in images]


def numbers(values: Any, where: str) -> np.ndarray:
    """Return values as an array of finite numbers with one to four dimensions.

    Raises UserError for others. where: names the array in messages.
    """
    array = as_array(values)
    if array.dtype.kind not in NUMBER_KINDS:
        raise UserError(
            f"{where} holds {array.dtype.name} and not numbers.\n"
            "Convert it to numbers, for example to one column of 0 and 1 for each category"
        )
    if not 1 <= array.ndim <= 4:
        raise UserError(
            f"{where} has the shape {array.shape}, and inputs have one to four dimensions: "
            "features (N, D), grey images (N, H, W), or images (N, H, W, C) or (N, C, H, W).\n"
            "Reshape it"
        )
    if array.dtype.kind == "f":
        wrong = ~(np.abs(array) <= LARGEST_FLOAT32)  # also true for nan
        if wrong.any():
            place = tuple(int(axis[0]) for axis in wrong.nonzero())
            raise UserError(
                f"{where} holds {array[place]} at {list(place)}, which is not a finite 32-bit "
                "number.\nReplace such values, or leave out their examples"
            )
    return array


def as_array(values: Any) -> np.ndarray:
    """Return a tensor, a table of pandas, a list or an array as an array."""
    if isinstance(values, Tensor):
        return values.detach().cpu().numpy()
    try:
        return np.asarray(values)
    except ValueError:  # lists of different lengths
        return np.asarray(values, dtype=object)


def channels_first(images: np.ndarray, layout: str, where: str) -> np.ndarray:
    """Return images (N, H, W), (N, H, W, C) or (N, C, H, W) as (N, C, H, W).

    layout: ``nhwc``, ``nchw``, or ``auto``: the axis with 1 or 3 places has the channels.

    Raises UserError if ``auto`` finds no such axis, or two.
    """
    if images.ndim == 3:
        return images[:, None]
    if layout == "auto":
        found = [
            name
            for name, axis in (("nhwc", 3), ("nchw", 1))
            if images.shape[axis] in CHANNEL_COUNTS
        ]
        if len(found) != 1:
            raise UserError(
                f"{where} has the shape {images.shape}, and which axis has the channels is not "
                "clear.\nType data.layout=nhwc if it is the last one, data.layout=nchw if it is "
                "the second"
            )
        layout = found[0]
    return images.transpose(0, 3, 1, 2) if layout == "nhwc" else images


def up_to_one(images: np.ndarray) -> bool:
    """Return whether an array holds floats from 0 to 1, or truth values."""
    if images.dtype.kind == "b":
        return True
    return (
        images.dtype.kind == "f"
        and images.size > 0
        and bool(images.min() >= 0 and images.max() <= 1)
    )


def is_whole(images: np.ndarray, factor: float) -> bool:
    """Return whether the values times a factor are whole numbers from 0 to 255, up to rounding."""
    if images.dtype == np.uint8:
        return True
    values = images.astype(np.float64) * factor
    tolerance = 1e-4 if images.dtype.kind == "f" else 0
    return bool(
        (np.abs(values - values.round()) <= tolerance).all()
        and (values.size == 0 or (values.min() >= -tolerance and values.max() <= WHITE + tolerance))
    )


def as_pixels(images: np.ndarray, factor: float, as_bytes: bool) -> Tensor:
    """Return images times a factor, as uint8 or float32."""
    if images.dtype == np.uint8 and as_bytes:
        return torch.from_numpy(np.ascontiguousarray(images))
    values = torch.from_numpy(images.astype(np.float32)) * factor
    return values.round_().to(torch.uint8) if as_bytes else values
