"""Evaluate the best weights of a finished run on its test part again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from dlcourse.core import Dataset, Fold, Split, at_least_float32
from dlcourse.engine.assemble import make_recipe
from dlcourse.engine.datasets import examples_to_test, load_data, split_training_data
from dlcourse.engine.ensemble import average
from dlcourse.engine.fingerprint import with_division
from dlcourse.engine.instantiate import build
from dlcourse.engine.reopen import config_of, folds_of, load_model
from dlcourse.engine.same_data import refuse_learned
from dlcourse.runtime import Runtime
from dlcourse.schema.facts import fact
from dlcourse.schema.run_files import CONFIG
from dlcourse.split.part import tested_alike
from dlcourse.terminal.live_line import working
from dlcourse.train.evaluate import evaluate_split


@dataclass(frozen=True)
class Retest:
    """The second test of a finished run.

    metrics: those of each model by the name of its folder, ``{".": {"loss": 0.1, ...}}``, equal to
    ``test`` in result.json; a cross-validation has a model for each fold.
    examples: the test examples, on the CPU; None if the folds are tested on different ones.
    outputs: (N, K) of the model on these examples, or of the folds' models averaged.
    """

    config: dict
    dataset: Dataset
    metrics: dict[str, dict[str, float]]
    examples: Split | None
    outputs: Tensor | None

    @property
    def predictions(self) -> Tensor:
        """The class probabilities or values (N, K), float64; empty without ``examples``.

        For losses whose outputs are scores, the softmax of the scores only ranks the classes.
        """
        if self.outputs is None:
            return torch.zeros(0, self.dataset.output_size, dtype=torch.float64)
        return self.outputs.softmax(1) if self.dataset.classes else self.outputs


def retest(
    folder: Path, *, trust: Sequence[str] = (), root: str = "", device: str | None = None
) -> Retest:
    """Test a run, or one fold of it, again.

    trust: modules outside dlcourse that its config may call. root: replaces ``data.root``.
    device: replaces the config's.
    Raises UserError for an unfinished run, and for data on which it must not be tested.
    """
    places = folds_of(folder)
    config = config_of(folder, ",".join(trust))
    if root:
        config["data"]["root"] = root
    if device is not None:
        config["runtime"]["device"] = device
    runtime: Runtime = build(config["runtime"])()
    with working("reading the data"):
        dataset = load_data(config)
    divided = split_training_data(config, dataset)
    whole = folder if (folder / CONFIG).exists() else folder.resolve().parent
    nested = any(part.test is not None for part in divided)
    refuse_learned(whole, with_division(dataset, divided), nested=nested)
    parts = {part.name: part for part in divided}
    metrics, outputs, tested = {}, [], []
    for place in places:
        name = place.resolve().name
        part = parts[name if name in parts else "."]
        tested.append(part)
        test = examples_to_test(dataset, part).to(runtime.device)
        model, standardize = load_model(config, runtime, place)
        fold = Fold(place.name, dataset.train, None, standardize)
        recipe = make_recipe(config, runtime, dataset, fold)
        meter = evaluate_split(model, test, standardize, recipe, keep=True)
        read = meter.read("test")
        metrics["." if place == folder else place.name] = {
            key.partition("/")[2]: read[key] for key in read
        }
        outputs.append(at_least_float32(meter.kept_outputs()[0]))
    if not tested_alike(tested):
        return Retest(config, dataset, metrics, None, None)
    kind = fact(config["loss"], "outputs")
    mean = average(torch.stack(outputs), kind, classes=bool(dataset.classes))
    examples = examples_to_test(dataset, tested[0])
    return Retest(config, dataset, metrics, examples, mean)
