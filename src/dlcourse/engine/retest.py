"""Evaluate a finished run again: on its test part, another part of its data, or other data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from dlcourse.core import Dataset, Fold, Split, at_least_float32
from dlcourse.engine.assemble import make_recipe
from dlcourse.engine.datasets import load_data, split_training_data
from dlcourse.engine.ensemble import average
from dlcourse.engine.fingerprint import read_fingerprint, with_division
from dlcourse.engine.instantiate import build
from dlcourse.engine.other_data import with_data, with_examples_of
from dlcourse.engine.reopen import config_of, folds_of, load_model
from dlcourse.engine.same_data import as_lines, data_differences, refuse_learned
from dlcourse.engine.stored_encoding import read_encoding
from dlcourse.errors import UserError, nearest
from dlcourse.introspect.classification import as_probabilities
from dlcourse.runs.run_folder import read_result
from dlcourse.runtime import Runtime
from dlcourse.schema.facts import fact
from dlcourse.schema.run_files import CONFIG, EVALUATED_PARTS
from dlcourse.split.part import Part, tested_alike
from dlcourse.terminal.live_line import working
from dlcourse.train.evaluate import evaluate_split


class Evaluated(NamedTuple):
    """The examples that a model was evaluated on, and its outputs (N, K), on the CPU.

    position: (N,) of the examples in the training part of the data set; None for the test part.
    """

    examples: Split
    outputs: Tensor
    position: Tensor | None


@dataclass(frozen=True)
class Retest:
    """A finished run that was evaluated again.

    metrics: those of each model by the name of its folder, ``{".": {"loss": 0.1, ...}}``; a
    cross-validation has a model for each fold. On the run's own test part they are equal to
    ``test`` in result.json, on its validation part to ``val``.
    examples: the examples, on the CPU; None if the folds are evaluated on different ones.
    outputs: (N, K) of the model on these examples, or of the folds' models averaged.
    evaluated: the examples and outputs of each model, by the name of its folder.
    """

    config: dict
    dataset: Dataset
    metrics: dict[str, dict[str, float]]
    examples: Split | None
    outputs: Tensor | None
    evaluated: Mapping[str, Evaluated] = field(default_factory=dict)

    @property
    def predictions(self) -> Tensor:
        """The class probabilities or values (N, K), float64; empty without ``examples``.

        For losses whose outputs are scores, the softmax of the scores only ranks the classes.
        """
        if self.outputs is None:
            return torch.zeros(0, self.dataset.output_size, dtype=torch.float64)
        return as_probabilities(self.outputs, self.dataset.task)


def retest(
    folder: Path,
    *,
    trust: Sequence[str] = (),
    root: str = "",
    device: str | None = None,
    part: str = "test",
    data: Sequence[str] = (),
) -> Retest:
    """Evaluate a run, or one fold of it, again.

    trust: modules outside dlcourse that its config may call. root: replaces ``data.root``.
    device: replaces the config's. part: ``test``, ``val`` or ``train``; of other data also ``all``.
    data: overrides of the data, ``data=image_folder``, ``data.root=other``.
    Raises UserError for an unfinished run, and for data on which it must not be evaluated.
    """
    check_part(part, other=bool(data))
    places = folds_of(folder)
    config = config_of(folder, ",".join(trust))
    if root:
        config["data"]["root"] = root
    if device is not None:
        config["runtime"]["device"] = device
    other = with_data(config, data) if data else config
    runtime: Runtime = build(config["runtime"])()
    with working("reading the data"):
        dataset = load_data(other, read_encoding(folder) if data else None)
        if data:
            result = read_result(places[0])
            assert result is not None  # folds_of has refused an unfinished run
            dataset = with_examples_of(dataset, part, result["classes"])
    divided = split_training_data(config, dataset) if not data else [whole_test(dataset)]
    whole = folder if (folder / CONFIG).exists() else folder.resolve().parent
    refuse_wrong_data(whole, dataset, divided, part, other=bool(data))
    return evaluate_models(config, runtime, dataset, folder, divided, "test" if data else part)


def check_part(part: str, *, other: bool) -> None:
    """Raise UserError for a part that cannot be evaluated. other: whether of other data."""
    if part not in EVALUATED_PARTS:
        raise UserError(
            f"part={part} is not allowed; {nearest(part, EVALUATED_PARTS)}.\nType part=test"
        )
    if other and part == "val":
        raise UserError("Only a run's own data have a validation part.\nType part=test or part=all")
    if not other and part == "all":
        raise UserError("part=all is for other data.\nType data=<other data>, or part=test")


def whole_test(dataset: Dataset) -> Part:
    """Return the only part of other data: all of its training examples, which are not used."""
    everything = torch.arange(len(dataset.train))
    return Part(".", everything, everything[:0])


def refuse_wrong_data(
    whole: Path, dataset: Dataset, divided: Sequence[Part], part: str, *, other: bool
) -> None:
    """Raise UserError if a run must not be evaluated on a part of these data.

    whole: the folder of the run. other: whether they are named as other data.
    """
    now = with_division(dataset, divided)
    if part == "test" or other:
        nested = any(one.test is not None for one in divided)
        refuse_learned(whole, now, nested=nested, other=other)
        return
    then = read_fingerprint(whole)
    found = [] if then is None else data_differences(then, now)
    if found:
        raise UserError(
            f"part={part} of {whole} is not known: the data have changed since it was trained.\n"
            f"{as_lines(found)}\nPut the data back as they were, or type data=<...> part=all"
        )


def evaluate_models(
    config: dict,
    runtime: Runtime,
    dataset: Dataset,
    folder: Path,
    divided: Sequence[Part],
    part: str,
) -> Retest:
    """Evaluate the best weights of each fold of a run on its test, validation or training part."""
    parts = {one.name: one for one in divided}
    metrics, evaluated, used = {}, {}, []
    for place in folds_of(folder):
        name = "." if place == folder else place.name
        one = parts[place.resolve().name if place.resolve().name in parts else "."]
        used.append(one)
        position = {"val": one.val, "train": one.train}.get(part, one.test)
        examples = dataset.test if position is None else dataset.train.subset(position)
        if not len(examples):
            raise UserError(f"{place} has no {part} examples.\nType part=test")
        model, standardize = load_model(config, runtime, place)
        fold = Fold(place.name, dataset.train, None, standardize)
        recipe = make_recipe(config, runtime, dataset, fold)
        on_device = examples.to(runtime.device)
        meter = evaluate_split(model, on_device, standardize, recipe, keep=True, what="evaluating")
        read = meter.read(part)
        metrics[name] = {key.partition("/")[2]: read[key] for key in read}
        outputs = at_least_float32(meter.kept_outputs()[0])
        evaluated[name] = Evaluated(examples, outputs, position)
    if (part != "test" and len(used) > 1) or not tested_alike(used):
        return Retest(config, dataset, metrics, None, None, evaluated)
    stacked = torch.stack([one.outputs for one in evaluated.values()])
    kind = fact(config["loss"], "outputs")
    mean = average(stacked, kind, task=dataset.task)
    examples = next(iter(evaluated.values())).examples
    return Retest(config, dataset, metrics, examples, mean, evaluated)
