"""Evaluate a run on other data than its own: their config, and their classes in the run's order."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import torch
import yaml
from torch import Tensor

from dlcourse.core import Dataset
from dlcourse.engine.fingerprint import fingerprint_of
from dlcourse.errors import UserError, nearest
from dlcourse.schema.compose import compose_job, without_hydra
from dlcourse.schema.untrusted import yaml_of
from dlcourse.schema.validate import check


def with_data(config: dict, overrides: Sequence[str], config_dir: str | None = None) -> dict:
    """Return a run's config with other data.

    overrides: ``data=image_folder`` replaces all options of the data; without it,
    ``data.root=other`` changes one of the run's own. Raises UserError for any other override.
    """
    changed = deepcopy(config)
    if any(override.startswith("data=") for override in overrides):
        changed["data"] = without_hydra(compose_job(list(overrides), config_dir))["data"]
    else:
        for override in overrides:
            key, _, text = override.partition("=")
            name = key.removeprefix("data.")
            if name not in changed["data"] or name.startswith("_"):
                known = [f"data.{known}" for known in changed["data"] if known[0] != "_"]
                raise UserError(f"{key} is not an option of this run; {nearest(key, known)}")
            changed["data"][name] = value_as_typed(override, text)
    check(changed)
    return changed


def value_as_typed(override: str, text: str) -> Any:
    """Return the value that is typed in an override; raises UserError if it is not one value."""
    try:
        return yaml_of(text, yaml.safe_load)
    except (ValueError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{override} is not understood: {reason}.\nType a number, a text or a list"
        ) from error


def with_examples_of(dataset: Dataset, part: str, classes: Sequence[str]) -> Dataset:
    """Return a data set whose test part are the examples to evaluate, with the run's classes.

    part: ``test``, ``train`` or ``all``, both together. classes: of the run, in its order; targets
    are translated by the names of the classes.
    Raises UserError for a class that the run does not know.
    """
    examples = {"test": dataset.test, "train": dataset.train}.get(part)
    if examples is None:
        examples = dataset.train.followed_by(dataset.test)
    if dataset.classes and classes and tuple(dataset.classes) != tuple(classes):
        unknown = sorted(set(dataset.classes) - set(classes))
        if unknown:
            raise UserError(
                f"The run cannot be tested on these data: it does not know the class "
                f"{', '.join(unknown[:5])}.\nIts classes are {', '.join(classes)}"
            )
        examples = replace(examples, targets=translated(examples.targets, dataset, classes))
        dataset = replace(dataset, classes=tuple(classes))
    dataset = replace(dataset, test=examples, verified=False)
    return replace(dataset, fingerprint=fingerprint_of(dataset))


def translated(targets: Tensor, dataset: Dataset, classes: Sequence[str]) -> Tensor:
    """Return targets (N,), or (N, K) of several classes each, in another order of the classes."""
    place = torch.tensor([classes.index(name) for name in dataset.classes], device=targets.device)
    if targets.dim() == 1:
        return place[targets]
    found = targets.new_zeros(len(targets), len(classes))
    found[:, place] = targets
    return found
