"""Transforms of torchvision, applied to every image alone."""

import ast
import inspect
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from dlcourse.augment.image import as_images
from dlcourse.core import WHITE
from dlcourse.errors import UserError, nearest

TRANSFORMS_KEY = "augment.torchvision.transforms"
BOXES, TYPE = "is for boxes and key points", "changes the type of the images"
SHAPE = "changes the shape of the images; data.size and data.channels set it"
NO_AUGMENTATIONS = {
    "MixUp": "mixes examples and their targets: type augment=mixup",
    "CutMix": "mixes examples and their targets: type augment=cutmix",
    "Lambda": "calls any function: write an augmentation of your own",
    "Normalize": "standardises: type data.standardize",
    "LinearTransformation": "standardises: type data.standardize=zca",
    **dict.fromkeys(
        ("ClampBoundingBoxes", "ClampKeyPoints", "ConvertBoundingBoxFormat", "RandomIoUCrop",
         "SanitizeBoundingBoxes", "SanitizeKeyPoints", "SetClampingMode"), BOXES),
    **dict.fromkeys(
        ("ConvertImageDtype", "PILToTensor", "ToDtype", "ToImage", "ToPILImage", "ToPureTensor",
         "ToTensor"), TYPE),
    **dict.fromkeys(
        ("FiveCrop", "RandomResize", "RandomShortestSize", "Resize", "ScaleJitter", "TenCrop",
         "UniformTemporalSubsample"), SHAPE),
}  # fmt: skip
"""Transforms that cannot be an augmentation, and why."""
FOR_FLOATS = {"GaussianNoise"}  # they refuse uint8


def torchvision(
    inputs: Tensor, targets: Tensor, *, transforms: str | Mapping | Sequence
) -> tuple[Tensor, Tensor]:
    """Apply transforms of ``torchvision.transforms.v2`` to images (N, C, H, W), one after another.

    torchvision draws once for each call, so every image is transformed by a call of its own. The
    random numbers are drawn on the CPU, where the run seeds them in every epoch. Floats from 0 to
    255 are scaled to 0 to 1 meanwhile, as torchvision expects them.

    transforms: names, or mappings with a ``name`` and options, ``{"name": "RandomPerspective",
        "p": 0.5}``; or a single one. ``RandomApply``, ``RandomChoice``, ``RandomOrder`` and
        ``Compose`` take others as their ``transforms``.

    Raises UserError for results of another shape.
    """
    transform, in_floats = made_once(repr(transforms))
    in_floats = in_floats or inputs.is_floating_point()
    images = inputs / WHITE if in_floats else inputs
    changed = torch.stack([transform(image) for image in images])
    if changed.shape != inputs.shape:
        raise UserError(
            f"{TRANSFORMS_KEY} turns images of {tuple(inputs.shape[1:])} into "
            f"{tuple(changed.shape[1:])}, and an augmentation keeps their "
            "shape.\nChange its sizes, or set data.size"
        )
    return as_images(changed * WHITE, inputs.dtype) if in_floats else changed, targets


def check_transforms(*, transforms: str | Mapping | Sequence) -> None:
    """Raise UserError for a name or an option that torchvision does not have."""
    transform, in_floats = made_once(repr(transforms))
    example = torch.full((3, 32, 32), 0.5 if in_floats else 127)
    with torch.random.fork_rng(devices=[]):
        try:
            transform(example if in_floats else example.byte())
        except Exception as error:  # a size may not fit 32 x 32; a wrong type never fits
            if isinstance(error, TypeError):
                raise UserError(
                    f"{TRANSFORMS_KEY} cannot be applied: {error}.\nCorrect its options"
                ) from error


torchvision.check_options = check_transforms  # type: ignore[attr-defined]


@cache
def made_once(transforms: str) -> tuple[nn.Module, bool]:
    """Return the transform of the repr of a config's list, and whether it is only for floats."""
    from torchvision.transforms import v2  # 1 s

    read = ast.literal_eval(transforms)
    made = made_of(read if isinstance(read, list) else [read], TRANSFORMS_KEY)
    every = v2.Compose(made)
    in_floats = any(type(part).__name__ in FOR_FLOATS for part in every.modules())
    return made[0] if len(made) == 1 else every, in_floats


def made_of(items: Sequence, key: str) -> list[nn.Module]:
    """Return the transforms of a list of names or mappings; key: where it is, for messages."""
    if not items:
        raise UserError(f"{key} is empty.\nType {key}=[RandomPerspective], or 'augment=[]'")
    return [made_transform(item, key) for item in items]


def made_transform(item: Any, key: str) -> nn.Module:
    """Return one transform; raises UserError for an unknown name or option."""
    options = dict(item) if isinstance(item, Mapping) else {"name": item}
    name = options.pop("name", None)
    known = known_transforms()
    example = f"Type, for example, '{TRANSFORMS_KEY}=[{{name: RandomPerspective, p: 0.5}}]'"
    if name in NO_AUGMENTATIONS:
        raise UserError(f"{key}: {name} {NO_AUGMENTATIONS[name]}.\n{example}")
    if name not in known:
        what = "a transform has no name" if name is None else (
            f"torchvision has no transform {name}; {nearest(str(name), known)}"
        )  # fmt: skip
        raise UserError(f"{key}: {what}.\n{example}")
    takes = inspect.signature(known[name]).parameters
    for option in options:
        if option not in takes:
            raise UserError(
                f"{key}: {name} has no option {option}; {nearest(option, takes)}.\n{example}"
            )
    values = {option: value_for(option, value, key) for option, value in options.items()}
    try:
        return known[name](**values)
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{key}: {name} refuses its options: {reason}.\n{example}") from error


def value_for(option: str, value: Any, key: str) -> Any:
    """Return the value of an option as torchvision takes it: an enumeration, or transforms."""
    from torchvision.transforms import AutoAugmentPolicy, InterpolationMode

    if option in ("transforms", "transform"):
        return made_of(value if isinstance(value, list) else [value], f"{key}.{option}")
    enumerations = {"interpolation": InterpolationMode, "policy": AutoAugmentPolicy}
    if option not in enumerations or not isinstance(value, str):
        return value
    names = [one.value for one in enumerations[option]]
    if value not in names:
        raise UserError(
            f"{key}: {option}={value} is not known; {nearest(value, names)}.\nCorrect it"
        )
    return enumerations[option](value)


@cache
def known_transforms() -> dict[str, type]:
    """Return the transforms of torchvision's version 2 that can be an augmentation, by name."""
    from torchvision.transforms import v2

    classes = {name: one for name, one in vars(v2).items() if inspect.isclass(one)}
    return {
        name: one
        for name, one in classes.items()
        if issubclass(one, v2.Transform)
        and one is not v2.Transform
        and name not in NO_AUGMENTATIONS
    }
