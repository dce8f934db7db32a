"""Check that the content of a cache is what its data set stores: types, shapes, labels."""

from typing import Any

import torch
from torch import Tensor

from dlcourse.data.cache import IMAGES_KEY


def part_misfit(content: Any, classes: int) -> str:
    """Return why content is not uint8 images (N, C, H, W) with targets (N,); "" if it is.

    classes: targets are whole numbers from 0 to below it.
    """
    images = content.get(IMAGES_KEY) if isinstance(content, dict) else None
    targets = content.get("targets") if isinstance(content, dict) else None
    if not isinstance(images, Tensor) or images.dtype != torch.uint8 or images.ndim != 4:
        return "it has no images"
    if not isinstance(targets, Tensor) or targets.dtype != torch.int64 or targets.ndim != 1:
        return "it has no targets"
    if len(images) != len(targets) or not len(images):
        return f"it has {len(images):,} images and {len(targets):,} targets"
    if images.shape[1] not in (1, 3) or not images.shape[2:].numel():
        return f"its images have the shape {tuple(images.shape[1:])}"
    if not ((targets >= 0) & (targets < classes)).all():
        return f"it has targets that are not from 0 to {classes - 1}"
    return ""


def parts_misfit(content: Any, classes: int) -> str:
    """Return why content is not a training and a test part; "" if it is. See ``part_misfit``."""
    parts = [content.get(part) for part in ("train", "test")]
    return next((problem for part in parts if (problem := part_misfit(part, classes))), "")


def features_misfit(content: dict) -> str:
    """Return why content is not features (N, D) and targets (N, 1) as float32; "" if it is."""
    features, targets = content.get("features"), content.get("targets")
    if not isinstance(features, Tensor) or not isinstance(targets, Tensor):
        return "it has no features and targets"
    shapes = features.ndim == 2 and targets.shape == (len(features), 1)
    floats = features.dtype == targets.dtype == torch.float32
    return "" if shapes and floats else "its features and targets have other shapes"


def files_misfit(content: dict, files: int, shape: tuple[int, ...] | None = None) -> str:
    """Return why content is not that of decoded or checked image files; "" if it is.

    files: their number. shape: of one image; None if the images stay on the disk.
    """
    problems, notes = content.get("problems"), content.get("notes")
    if not (isinstance(problems, list) and all(isinstance(one, str) for one in problems)):
        return "it has no list of damaged files"
    if not (isinstance(notes, list) and all(isinstance(one, list) for one in notes)):
        return "it has no notes on the files"
    contents = content.get("contents")
    if not isinstance(contents, Tensor) or contents.dtype != torch.int64:
        return "it has no digests of the files"
    if not len(problems) == len(notes) == files or contents.shape != (files,):
        return "it is that of another number of files"
    if shape is None:
        return ""
    images, whole = content.get(IMAGES_KEY), problems.count("")
    if not isinstance(images, Tensor) or images.dtype != torch.uint8:
        return "it has no images"
    return "" if images.shape == (whole, *shape) else "its images have another shape"
