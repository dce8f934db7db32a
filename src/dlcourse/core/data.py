"""The data of a run: splits, data sets, their standardisation, folds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dlcourse.core.dtypes import has_float64

WHITE = 255.0  # the largest value of a uint8 image


@dataclass(frozen=True)
class Split:
    """The examples of one part of a data set.

    inputs: (N, C, H, W) uint8 images or (N, D) float features; NaN is a missing value, which the
        fold's standardisation fills.
    targets: (N,) int64 classes; (N, K) float32, 1 for each class that an example has and 0 for the
        others, if an example can have several; or (N, K) float values of a regression.
    contents: (N,) int64 on the CPU, a digest of the file that each example was read from; None
        where the inputs themselves are compared.
    weights: (N,) float32 on the CPU, the weight of each example in the training loss; None where
        all are equal.
    ids: (N,) text, the name of each example in tables of predictions, such as its file or the
        value of a column; None where its number is the name.
    """

    inputs: Tensor
    targets: Tensor
    contents: Tensor | None = None
    weights: Tensor | None = None
    ids: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def device(self) -> torch.device:
        """The device of the batches."""
        return self.targets.device

    def subset(self, index: Tensor) -> Split:
        """Return the examples at the given positions (M,), in that order."""
        of_each = self.of_each(index.cpu())
        index = index.to(self.device)
        return replace(self, inputs=self.inputs[index], targets=self.targets[index], **of_each)

    def stretch(self, start: int, stop: int) -> Split:
        """Return the examples from ``start`` to before ``stop``, without a copy."""
        chosen = slice(start, stop)
        inputs, targets = self.inputs[chosen], self.targets[chosen]
        return replace(self, inputs=inputs, targets=targets, **self.of_each(chosen))

    def followed_by(self, other: Split) -> Split:
        """Return these examples with those of another split of the same kind after them.

        Digests and names are kept if both have them; weights if this split has some, 1 for each of
        the others' where they have none.
        """
        both: Any = [self.inputs, other.inputs]
        contents = weights = ids = None
        if self.contents is not None and other.contents is not None:
            contents = torch.cat([self.contents, other.contents])
        if self.weights is not None:
            more = torch.ones(len(other)) if other.weights is None else other.weights
            weights = torch.cat([self.weights, more])
        if self.ids is not None and other.ids is not None:
            ids = np.concatenate([self.ids, other.ids])
        return replace(
            self,
            inputs=self.joined_inputs(both),
            targets=torch.cat([self.targets, other.targets]),
            contents=contents,
            weights=weights,
            ids=ids,
        )

    def joined_inputs(self, parts: list[Any]) -> Any:
        """Return the inputs of several splits as those of one."""
        return torch.cat(parts)

    def of_each(self, chosen: slice | Tensor) -> dict[str, Any]:
        """Return what is known of the chosen examples besides inputs and targets."""
        places = chosen.numpy() if isinstance(chosen, Tensor) else chosen
        return {
            "contents": None if self.contents is None else self.contents[chosen],
            "weights": None if self.weights is None else self.weights[chosen],
            "ids": None if self.ids is None else self.ids[places],
        }

    def to(self, device: torch.device) -> Split:
        """Return the same examples on the given device; without float64 there, in float32."""
        kept = self.inputs.dtype != torch.float64 or has_float64(device)
        inputs = self.inputs if kept else self.inputs.float()
        return replace(self, inputs=inputs.to(device), targets=self.targets.to(device))

    def batches(self, pieces: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the raw inputs and targets at each piece of indices (batch,), on the device."""
        for batch in self.prefetch(pieces):
            yield self.fetch(*batch)

    def prefetch(self, pieces: Iterable[Tensor]) -> Iterator[tuple[Tensor, ...]]:
        """Yield the arguments of ``fetch``: indices (batch,), and inputs that were read ahead."""
        for index in pieces:
            yield (index,)

    def fetch(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return the raw inputs and targets at the positions (batch,), on the device."""
        return self.inputs.index_select(0, index), self.targets.index_select(0, index)


@dataclass(frozen=True)
class Dataset:
    """A data set as its source provides it, before a validation part is split off.

    classes: the names of the classes, in the order of the targets; empty for a regression.
    ready_val: the number of examples at the end of ``train`` that are a ready-made validation part.
    groups: (N,) int64, the group of every training example, such as the patient an image shows;
        None where examples are independent.
    features: the names of a table's columns (D,); empty where the inputs have none.
    encoding: the ``dlcourse.data.encoding.Encoding`` that made the features of a user's own table;
        None for other data.
    target_names: the names of a regression's values (K,); empty where they have none.
    verified: whether the config alone determines the examples: they are generated, or read from
        files with known checksums.
    truth: the function without noise that the targets were generated from, raw inputs (N, D) ->
        (N, K); None where it is not known.
    fingerprint: the ``dlcourse.engine.fingerprint.Fingerprint`` by which a run recognises its data.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...] = ()
    ready_val: int = 0
    groups: Tensor | None = None
    features: tuple[str, ...] = ()
    encoding: Any = None
    target_names: tuple[str, ...] = ()
    verified: bool = False
    truth: Callable[[Tensor], Tensor] | None = None
    fingerprint: Any = None

    @property
    def task(self) -> str:
        """``classification``, ``multilabel`` (several classes per example) or ``regression``."""
        if not self.classes:
            return "regression"
        return "multilabel" if self.train.targets.dim() == 2 else "classification"

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example: (C, H, W) or (D,)."""
        return tuple(self.train.inputs.shape[1:])

    @property
    def output_size(self) -> int:
        """The number of outputs of a model: one for each class, or each value of a regression."""
        return len(self.classes) or self.train.targets.shape[1]


@dataclass(frozen=True)
class Standardize:
    """Maps raw inputs (N, ...) to floats: (inputs - mean) * scale, on their device.

    mean and scale broadcast against one example; scale is one over the standard deviation.
    """

    mean: Tensor
    scale: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        return torch.sub(inputs, self.mean).mul_(self.scale)  # a new tensor; uint8 becomes float

    def to(self, device: torch.device) -> Standardize:
        """Return the same map on the given device."""
        return replace(self, **{name: part.to(device) for name, part in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """Return all that the map consists of, by name; ``type(self)(**tensors)`` is the map."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True)
class Whiten(Standardize):
    """Maps raw inputs (N, ...) of D numbers each to decorrelated floats: (inputs - mean) @ scale.

    scale: a matrix (D, D).
    """

    def __call__(self, inputs: Tensor) -> Tensor:
        flat = torch.sub(inputs, self.mean).flatten(1).to(self.scale.dtype)  # (N, D)
        with torch.autocast(flat.device.type, enabled=False):  # sums of D numbers, in float32
            return (flat @ self.scale).view(inputs.shape)


@dataclass(frozen=True)
class Impute(Standardize):
    """Maps features (N, D) with NaN for missing values to floats: fill, subtract, scale.

    The difference from the mean is computed in the precision of the inputs and the mean, so that
    float64 columns such as times in seconds keep their digits; then it gets the type of ``scale``.

    fill: (D,), the values that replace NaN; NaN where missing values are not allowed.
    """

    fill: Tensor

    def __call__(self, inputs: Tensor) -> Tensor:
        filled = torch.where(inputs.isnan(), self.fill, inputs)
        return torch.sub(filled, self.mean).to(self.scale.dtype).mul_(self.scale)


@dataclass(frozen=True)
class Fold:
    """One division of the training data: train on ``train``, choose the best epoch by ``val``.

    name: the fold's folder; ``"."`` for a hold-out, ``"fold3"`` in cross-validation.
    val: None if all examples are training data.
    standardize: computed on ``train`` alone.
    """

    name: str
    train: Split
    val: Split | None
    standardize: Standardize
