"""Fit the tensors of a file to a model, and list what does not fit."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from dlcourse.errors import UserError
from dlcourse.weights.file import read_tensors
from dlcourse.weights.names import (
    as_named_here,
    fits_one,
    renamed,
    without_excluded,
    without_prefixes,
    wrapper_of,
)
from dlcourse.weights.positions import resized_positions

log = logging.getLogger(__name__)

MOST_MISMATCHES = 6  # of each kind in a message


@dataclass(frozen=True)
class Fit:
    """Which tensors of a file belong to which of a model.

    fitting: by the model's names. head: names of the output layer with another number of classes.
    missing: names that only the model has; unexpected: only the file. shapes: (name, shape in the
    file, shape in the model). resized: names of interpolated position embeddings.
    """

    fitting: dict[str, Tensor]
    head: list[str]
    missing: list[str]
    unexpected: list[str]
    shapes: list[tuple[str, tuple[int, ...], tuple[int, ...]]]
    resized: list[str]

    @property
    def complete(self) -> bool:
        """Whether all but an output layer with other classes fits."""
        return not (self.missing or self.unexpected or self.shapes)


def unchanged(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as they are."""
    return tensors


def load_file(
    model: nn.Module,
    file: str,
    key: str,
    *,
    strict: bool = True,
    rename: Mapping[str, str] | None = None,
    exclude: Sequence[str] = (),
    layers: Mapping[str, str] | None = None,
    heads: Sequence[str] = (),
    adapt: Callable[[dict[str, Tensor]], dict[str, Tensor]] = unchanged,
) -> str:
    """Copy the weights of a file into a model; return a line that says what was loaded.

    An output layer that the file lacks, or has with another number of classes, keeps its initial
    weights. Position embeddings of another image size are interpolated.

    file: see ``weights.file.read_tensors``. key: the option that names it, ``init.file``.
    strict: whether everything else must fit; otherwise what does not fit keeps its initial weights,
        and a warning lists it.
    rename, exclude: see ``weights.names``; names that ``exclude`` fits may be missing.
    layers: names of layers in the file with their names in the model, ``{"fc": "output"}``.
    heads: names of the output layers; by default the last layer with weights.
    adapt: changes the tensors, under the file's names, to this model's inputs.

    Raises UserError for a file that cannot be read, one that does not fit, and one without any
    tensor that fits.
    """
    group, own = key.partition(".")[0], model.state_dict()
    tensors, place = read_tensors(file, key)
    tensors, removed = without_prefixes(renamed(tensors, rename or {}, f"{group}.rename"), own)
    tensors = as_named_here(adapt(tensors), own, layers or {})
    tensors = without_excluded(tensors, exclude, own, f"{group}.exclude")
    fit = fit_of(tensors, own, heads or [last_weighted_layer(model)], exclude)
    if not fit.fitting or (strict and not fit.complete):
        raise UserError(refusal(fit, file, key))
    model.load_state_dict({**own, **fit.fitting})
    line = said(fit, len(own), file, place, removed)
    log.info("%s: %s", key, line)
    if not fit.complete:
        log.warning("%s=%s does not fit everywhere:\n%s", key, file, "\n".join(mismatch_lines(fit)))
    return line


def fit_of(
    tensors: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    heads: Sequence[str],
    exclude: Sequence[str] = (),
) -> Fit:
    """Compare tensors with those of a model. heads: the names of its output layers."""
    fitting, shapes, resized = {}, [], []
    new_head = [name for name in own if name.rpartition(".")[0] in heads]
    for name in tensors.keys() & own.keys():
        one, ours = tensors[name], own[name]
        if name in new_head and one.dim() == ours.dim() + 2:
            one = one.flatten(1)  # a 1 x 1 convolution as the output layer
        positions = resized_positions(one, ours) if "pos" in name else None
        if one.shape == ours.shape:
            fitting[name] = one
        elif positions is not None:
            fitting[name] = positions
            resized.append(name)
        elif name not in new_head:
            shapes.append((name, tuple(one.shape), tuple(ours.shape)))
    wrapper = wrapper_of(own)
    missing = [
        name
        for name in own
        if name not in {*tensors, *new_head}
        and not name.endswith("num_batches_tracked")  # older files lack these counters
        and not fits_one(name, exclude, wrapper)
    ]
    unexpected = [name for name in tensors if name not in own]
    new = sorted(name for name in new_head if name not in fitting)
    return Fit(fitting, new, missing, unexpected, sorted(shapes), sorted(resized))


def last_weighted_layer(model: nn.Module) -> str:
    """Return the name of the output layer: the last one with weights."""
    names = [name for name, layer in model.named_modules() if list(layer.parameters(False))]
    return names[-1] if names else ""


def said(fit: Fit, own: int, file: str, place: str, removed: Sequence[str]) -> str:
    """Return a line on what was loaded. own: the number of the model's tensors."""
    parts = [f"{len(fit.fitting)} of {own} tensors from {Path(file).name}"]
    if place:
        parts.append(f"its key {place}")
    if removed:
        parts.append(f"without the prefix {' '.join(removed)}")
    if fit.head:
        parts.append(f"a new output layer ({', '.join(fit.head)})")
    if fit.resized:
        parts.append(f"{', '.join(fit.resized)} interpolated to this image size")
    return ", ".join(parts)


REMEDIES = {
    "init": "Type init.strict=false to load what fits; init.exclude=[<name>.*] leaves tensors out, "
    "and 'init.rename={<old>.*: <new>.*}' renames them",
    "model": "Type the model.name that the weights were trained with; or model.weights=null and "
    "init=from_file, which can rename tensors and load a part of them",
}
ANOTHER_MODEL = (
    "Type the model that the file belongs to, or 'init.rename={<old>.*: <new>.*}' if its tensors "
    "have other names there"
)


def refusal(fit: Fit, file: str, key: str) -> str:
    """Return the message for a file that does not fit a model."""
    group = key.partition(".")[0]
    first = f"{key}={file} does not fit this model: {len(fit.fitting)} of its tensors do."
    remedy = REMEDIES[group] if fit.fitting or group == "model" else ANOTHER_MODEL
    return "\n".join([first, *mismatch_lines(fit), remedy])


def mismatch_lines(fit: Fit) -> list[str]:
    """Return lines that list the mismatches, at most ``MOST_MISMATCHES`` of each kind."""
    shapes = [
        f"{name}: {sides_text(file)} in the file, {sides_text(here)} here"
        for name, file, here in fit.shapes
    ]
    kinds = {
        "missing in the file": fit.missing,
        "only in the file": fit.unexpected,
        "other shape": shapes,
    }
    lines = []
    for kind, names in kinds.items():
        lines += [f"  {kind}: {name}" for name in names[:MOST_MISMATCHES]]
        if len(names) > MOST_MISMATCHES:
            lines.append(f"  {kind}: {len(names) - MOST_MISMATCHES} more")
    return lines


def sides_text(shape: tuple[int, ...]) -> str:
    """Return a shape as text, ``64 x 3 x 7 x 7``."""
    return " x ".join(map(str, shape)) or "one number"
