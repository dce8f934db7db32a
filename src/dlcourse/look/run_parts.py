"""The training, validation and test part of a run that is looked at, and their loss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcourse.core import Fold, Recipe, Split
from dlcourse.engine.assemble import make_recipe
from dlcourse.engine.datasets import examples_to_test, make_fold, split_training_data
from dlcourse.engine.instantiate import build
from dlcourse.errors import UserError
from dlcourse.look.subject import Subject
from dlcourse.permutations import random_order
from dlcourse.random_streams import Purpose
from dlcourse.runtime import Runtime
from dlcourse.train.evaluate import eval_runner, run_evaluation

PART_TEXT = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True)
class RunParts:
    """A run's data as it was trained, on its device, and its recipe.

    fold: with the training and the validation part. test: the test part.
    index: the positions of the examples of ``train`` and ``val`` in the data set's training data.
    """

    fold: Fold
    test: Split
    recipe: Recipe
    runtime: Runtime
    index: Mapping[str, Tensor]

    def part(self, name: str) -> Split:
        """Return the examples of ``train``, ``val`` or ``test``; raises UserError without any."""
        found = {"train": self.fold.train, "val": self.fold.val, "test": self.test}[name]
        if found is None:
            raise UserError(f"part={name} has no examples in this run.\nType part=train")
        return found

    def some(self, name: str, examples: int, seed: int) -> Split:
        """Return some examples of a part, drawn at random, or all if there are fewer."""
        split = self.part(name)
        if len(split) <= examples:
            return split
        return split.subset(random_order(len(split), seed, Purpose.SHOWN)[:examples])


def run_parts(subject: Subject) -> RunParts:
    """Return the parts of the run of a subject; reads the data."""
    config = dict(subject.config)
    config["runtime"] = config["runtime"] | {"compile": False}
    runtime: Runtime = build(config["runtime"])()
    divided = {part.name: part for part in split_training_data(config, subject.dataset)}
    name = subject.folder.resolve().name
    part = divided[name if name in divided else "."]
    fold = make_fold(config, subject.dataset, part, runtime)
    return RunParts(
        fold=fold,
        test=examples_to_test(subject.dataset, part).to(runtime.device),
        recipe=make_recipe(config, runtime, subject.dataset, fold),
        runtime=runtime,
        index={"train": part.train, "val": part.val},
    )


def loss_function(subject: Subject, parts: RunParts, split: Split) -> Callable[[], float]:
    """Return a function that computes the mean loss of the network, as it is, on a split.

    It is the loss of the run without augmentation, label smoothing and penalties, in evaluation
    mode: batch norm uses its running statistics, dropout keeps all units.
    """
    network = subject.network
    runner = eval_runner(network, split, parts.fold.standardize, parts.recipe)
    return lambda: run_evaluation(network, runner).read("seen")["seen/loss"]


def has_batch_norm(network: torch.nn.Module) -> bool:
    """Return whether a network has batch norm layers."""
    return any(isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in network.modules())
